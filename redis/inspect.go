package redis

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Facts are what Inspect finds out about a server.
type Facts struct {
	Address   string        // host:port
	RoundTrip time.Duration // of one command, without the time to connect
}

// inspectScript does everything that the scripts of this program do, on a key
// that it deletes at once.
var inspectScript = goredis.NewScript(`
redis.call('SET', KEYS[1], ARGV[1], 'PX', 1000)
local stored = redis.call('GET', KEYS[1])
redis.call('PUBLISH', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[1])
redis.call('TIME')
return stored`)

// Inspect finds out, with two commands, whether a server can be reached and
// runs scripts that write key and publish on channel. When it fails, it returns
// the address all the same. TroubleOf says what the error is a sign of.
func Inspect(ctx context.Context, client *Client, key, channel string) (Facts, error) {
	f := Facts{Address: client.server.Options().Addr}
	if err := client.server.Ping(ctx).Err(); err != nil {
		return f, fmt.Errorf("redis: ping: %w", err)
	}
	probe := rand.Text()
	asked := time.Now()
	answer, err := inspectScript.Eval(ctx, client.server, []string{key, channel}, probe).Text()
	if err != nil {
		return f, fmt.Errorf("redis: run a script: %w", err)
	}
	f.RoundTrip = time.Since(asked)
	if answer != probe {
		return f, errors.New("redis: a script read something else than it wrote")
	}
	return f, nil
}

// A Trouble is the reason why a server cannot be used, as far as it tells what
// to mend.
type Trouble string

const (
	TroubleHost        Trouble = "host"        // its name is unknown
	TroubleUnreachable Trouble = "unreachable" // nothing answers there, or not as Redis does
	TroubleTLS         Trouble = "tls"         // the server wants no TLS, or its certificate is not right
	TroublePassword    Trouble = "password"    // user or password is refused
	TroublePermission  Trouble = "permission"  // the user may not run scripts, or may not write
	TroubleReadOnly    Trouble = "read_only"   // it is a replica
	TroubleFull        Trouble = "full"        // its memory is used up
	TroubleClients     Trouble = "clients"     // it takes no more connections
	TroubleOther       Trouble = "other"       // none of these
)

// TroubleOf returns what an error of Inspect is a sign of, or "" for no error.
func TroubleOf(err error) Trouble {
	switch {
	case err == nil:
		return ""
	case goredis.IsAuthError(err), strings.Contains(err.Error(), "invalid password"):
		return TroublePassword
	case goredis.IsPermissionError(err), strings.Contains(err.Error(), "unknown command"):
		return TroublePermission
	case goredis.IsReadOnlyError(err):
		return TroubleReadOnly
	case goredis.IsOOMError(err):
		return TroubleFull
	case goredis.IsMaxClientsError(err):
		return TroubleClients
	default:
		return troubleOfNetwork(err)
	}
}

func troubleOfNetwork(err error) Trouble {
	if isTLS(err) {
		return TroubleTLS
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return TroubleHost
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, io.EOF) {
		return TroubleUnreachable
	}
	return TroubleOther
}

func isTLS(err error) bool {
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	_, unverified := errors.AsType[*tls.CertificateVerificationError](err)
	_, other := errors.AsType[x509.HostnameError](err)
	return plain || unverified || other
}
