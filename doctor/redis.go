package doctor

import (
	"context"

	"github.com/ai-worker/ai-worker/redis"
)

// Redis checks that Redis can be reached and runs this program's scripts. Jobs
// go on without Redis, but polling is slower and part of the quota stays
// unused.
func Redis(inspect func(context.Context) (redis.Facts, error)) Check {
	return Check{
		Name: "redis", Needs: []string{"REDIS_URL"},
		Run: func(ctx context.Context) []Finding {
			f, err := inspect(ctx)
			if err != nil {
				return []Finding{redisTrouble(f.Address, err)}
			}
			return []Finding{ok("%s runs scripts, %s away", f.Address, milliseconds(f.RoundTrip))}
		},
	}
}

func redisTrouble(address string, err error) Finding {
	switch redis.TroubleOf(err) {
	case redis.TroubleHost:
		return failed("Correct the host in REDIS_URL.", "the name of %s is unknown", address)
	case redis.TroubleUnreachable:
		return failed("Start Redis, or let this machine through its firewall; or correct REDIS_URL: "+
			"rediss:// where the server wants TLS, as Upstash does, redis:// where it does not.",
			"%s cannot be reached: %v", address, plain(err))
	case redis.TroubleTLS:
		return failed("Write redis:// in REDIS_URL if the server has no TLS; else use the name that its certificate is for.",
			"%s and this program do not agree on TLS: %v", address, err)
	case redis.TroublePassword:
		return failed("Correct user and password in REDIS_URL; Upstash's user is default.",
			"%s refuses the user or the password", address)
	case redis.TroublePermission:
		return failed("Allow it: ACL SETUSER NAME +@all ~job:* ~jobs:* ~lane:* &job:* &jobs:*, "+
			"or use a server and a user that may run EVAL and EVALSHA.",
			"the user of REDIS_URL may not run scripts that write at %s: %v", address, err)
	case redis.TroubleReadOnly:
		return failed("Give REDIS_URL the address of the primary.", "%s is a replica, which takes no writes", address)
	case redis.TroubleFull:
		return failed("Give it more memory, or let it drop what ends soonest: redis-cli CONFIG SET maxmemory-policy volatile-ttl.",
			"the memory of %s is full", address)
	case redis.TroubleClients:
		return failed("Raise maxclients, or find who keeps connections open: redis-cli CLIENT LIST.",
			"%s takes no more connections", address)
	case redis.TroubleOther, "":
	}
	return failed("Check REDIS_URL; it looks like rediss://default:… with host and port.", "%s: %v", address, err)
}
