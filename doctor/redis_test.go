package doctor_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ai-worker/ai-worker/doctor"
	"github.com/ai-worker/ai-worker/redis"
	"github.com/ai-worker/ai-worker/redis/redistest"
)

// examineRedis examines the server at an address.
func examineRedis(t *testing.T, address string) []doctor.Finding {
	t.Helper()
	client, err := redis.NewClient(address, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return examine(t, doctor.Redis(func(ctx context.Context) (redis.Facts, error) {
		return redis.Inspect(ctx, client, "job:doctor", "job:doctor:events")
	}))
}

// sendCommand sends a command to a server over a connection that stays open.
func sendCommand(t *testing.T, address string, args ...any) {
	t.Helper()
	opts, err := goredis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(opts)
	t.Cleanup(func() { _ = client.Close() })
	if err := client.Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	expect(t, examineRedis(t, redistest.Start(t).URL()), want{doctor.OK, "", "runs scripts", ""})
}

func TestRedisThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	as := func(user string) func(*url.URL) {
		return func(u *url.URL) { u.User = url.UserPassword(user, "right") }
	}
	for name, tt := range map[string]struct {
		command []any
		address func(*url.URL)
		want    want
	}{
		"wrong password": {
			[]any{"CONFIG", "SET", "requirepass", "another"}, as("default"),
			want{doctor.Failed, "", "refuses the user or the password", "REDIS_URL"},
		},
		"no password": {
			[]any{"CONFIG", "SET", "requirepass", "another"}, nil,
			want{doctor.Failed, "", "refuses the user or the password", "REDIS_URL"},
		},
		"no scripts": {
			[]any{"ACL", "SETUSER", "app", "on", ">right", "~*", "&*", "+@all", "-eval"}, as("app"),
			want{doctor.Failed, "", "may not run scripts", "EVAL"},
		},
		"replica": {
			[]any{"REPLICAOF", "127.0.0.1", "1"}, nil,
			want{doctor.Failed, "", "is a replica", "primary"},
		},
		"full": {
			[]any{"CONFIG", "SET", "maxmemory", "1"}, nil,
			want{doctor.Failed, "", "memory of", "maxmemory-policy"},
		},
		"no connection left": {
			nil, func(u *url.URL) { u.Host = startSaying(t, "-ERR max number of clients reached\r\n") },
			want{doctor.Failed, "", "takes no more connections", "maxclients"},
		},
		"another server": {
			nil, func(u *url.URL) { u.Host = startSaying(t, "HTTP/1.1 400 Bad Request\r\n\r\n") },
			want{doctor.Failed, "", "HTTP/1.1 400", "REDIS_URL"},
		},
		"unknown host": {
			nil, func(u *url.URL) { u.Host = "no-such-host.invalid:6379" },
			want{doctor.Failed, "", "the name of no-such-host.invalid:6379 is unknown", "REDIS_URL"},
		},
		"nobody there": {
			nil, func(u *url.URL) { u.Host = nobody(t) },
			want{doctor.Failed, "", "cannot be reached", "rediss://"},
		},
		"silent server": {
			nil, func(u *url.URL) { u.Host = startSilent(t) },
			want{doctor.Failed, "", "cannot be reached", "rediss://"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := redistest.Start(t).URL()
			if tt.command != nil {
				sendCommand(t, address, tt.command...)
			}
			if tt.address != nil {
				address = altered(t, address, tt.address)
			}
			expect(t, examineRedis(t, address), tt.want)
		})
	}
}

func TestRedisBehindACertificateOfNobodys(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	t.Cleanup(server.Close)
	address := strings.Replace(server.URL, "https://", "rediss://", 1)
	got := examineRedis(t, address)
	for range 20 {
		if !strings.Contains(got[0].Message, "cannot be reached") {
			break
		}
		got = examineRedis(t, address) // on a busy machine, agreeing took longer than a client waits
	}
	expect(t, got, want{doctor.Failed, "", "do not agree on TLS", "REDIS_URL"})
}

func TestRedisWhoseAddressMakesNoSense(t *testing.T) {
	t.Parallel()
	got := examine(t, doctor.Redis(func(context.Context) (redis.Facts, error) {
		return redis.Facts{Address: "REDIS_URL"}, redis.ErrBadURL
	}))
	expect(t, got, want{doctor.Failed, "", "not a valid URL", "REDIS_URL"})
}
