package storage

import (
	"net/http"
	"strings"
)

// A Trouble is the reason why a call failed, in terms of what has to be
// corrected.
type Trouble string

const (
	TroubleBucket       Trouble = "bucket"       // the account has no such bucket
	TroubleBucketName   Trouble = "bucket_name"  // no bucket can have that name
	TroubleKeyID        Trouble = "key_id"       // the account has no such access key
	TroubleSecret       Trouble = "secret"       // it does not belong to the access key
	TroubleCredentials  Trouble = "credentials"  // one or both of them are not valid
	TroublePermission   Trouble = "permission"   // the token may not do that, or not there
	TroubleSubscription Trouble = "subscription" // the account has no R2
	TroubleClock        Trouble = "clock"        // this machine's clock is wrong, and so are its signatures
	TroubleUnreachable  Trouble = "unreachable"  // nobody answered
	TroubleOther        Trouble = "other"        // none of these
)

// TroubleOf returns the trouble that an error of this package is a sign of. An
// answer to HEAD has only a status, so the status decides last.
func TroubleOf(err error) Trouble {
	switch code, status := codeOf(err), statusOf(err); {
	case code == codeNoSuchBucket:
		return TroubleBucket
	case code == codeInvalidBucketName:
		return TroubleBucketName
	case code == codeBadSignature:
		return TroubleSecret
	case code == codeInvalidAccessKey, code == codeInvalidArgument && strings.HasPrefix(messageOf(err), badKeyLength):
		return TroubleKeyID
	case code == codeNotEntitled:
		return TroubleSubscription
	case code == codeClockSkew:
		return TroubleClock
	case status == http.StatusUnauthorized:
		return TroubleCredentials
	case status == http.StatusForbidden:
		return TroublePermission
	case status == 0:
		return TroubleUnreachable
	default:
		return TroubleOther
	}
}

// remedy returns which setting to correct. It returns nothing if the trouble
// passes by itself or no setting is at fault.
func (t Trouble) remedy() string {
	switch t {
	case TroubleBucket:
		return "the account of R2_ACCOUNT_ID has no bucket R2_BUCKET; " +
			"one with a jurisdiction has an endpoint of its own, for R2_ENDPOINT"
	case TroubleBucketName:
		return "R2_BUCKET cannot be a bucket's name"
	case TroubleSecret:
		return "R2_SECRET_ACCESS_KEY does not belong to R2_ACCESS_KEY_ID"
	case TroubleKeyID:
		return "R2_ACCESS_KEY_ID is not an access key of the account of R2_ACCOUNT_ID"
	case TroubleSubscription:
		return "the account of R2_ACCOUNT_ID has no R2 subscription"
	case TroubleCredentials:
		return "R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY are not valid in the account of R2_ACCOUNT_ID"
	case TroublePermission:
		return "the token of R2_ACCESS_KEY_ID must be allowed to read and write objects in R2_BUCKET"
	default:
		return ""
	}
}
