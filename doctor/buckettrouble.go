package doctor

import "github.com/ai-worker/ai-worker/storage"

// cloudflare is where R2 API tokens are made.
const cloudflare = "https://dash.cloudflare.com, R2, API Tokens."

// bucketTrouble returns a finding that says why the bucket could not be used.
// used is a past participle, such as "read".
func bucketTrouble(name, used string, err error) Finding {
	say := func(fix, what string) Finding { return failed(fix, "bucket %s cannot be %s: %s", name, used, what) }
	switch storage.TroubleOf(err) {
	case storage.TroubleBucket:
		return say("Make it: npx wrangler r2 bucket create "+name+"; or correct R2_BUCKET or R2_ACCOUNT_ID. "+
			"A bucket with a jurisdiction has an endpoint of its own, for R2_ENDPOINT.",
			"the account has no such bucket")
	case storage.TroubleBucketName:
		return say("Correct R2_BUCKET.", "no bucket can have that name")
	case storage.TroubleKeyID:
		return say("Correct R2_ACCESS_KEY_ID, the first part of R2_CREDENTIALS, or make a new token: "+cloudflare,
			"R2_ACCESS_KEY_ID is no access key of the account")
	case storage.TroubleSecret:
		return say("Correct R2_SECRET_ACCESS_KEY, the second part of R2_CREDENTIALS, or make a new token: "+cloudflare,
			"R2_SECRET_ACCESS_KEY does not belong to R2_ACCESS_KEY_ID")
	case storage.TroubleCredentials:
		return say("Make a new token, and set R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY: "+cloudflare,
			"R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY are not valid in the account of R2_ACCOUNT_ID")
	case storage.TroublePermission:
		return say("Give the R2 API token the permission Object Read & Write for this bucket: "+cloudflare,
			"the token may not do that")
	case storage.TroubleSubscription:
		return say("Turn R2 on for the account of R2_ACCOUNT_ID: https://dash.cloudflare.com, R2.",
			"the account has no R2 subscription")
	case storage.TroubleClock:
		return say("Set this machine's clock: sudo timedatectl set-ntp true.",
			"the clocks of this machine and of R2 are too far apart for signatures")
	case storage.TroubleUnreachable:
		return say("Correct R2_ACCOUNT_ID or R2_ENDPOINT, or let this machine reach it.", plain(err).Error())
	case storage.TroubleOther:
	}
	return say("Look at what R2_ENDPOINT leads to; https://www.cloudflarestatus.com tells of R2's own troubles.", err.Error())
}
