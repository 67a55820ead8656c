package redis_test

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ai-worker/ai-worker/redis"
	"github.com/ai-worker/ai-worker/redis/redistest"
)

func inspect(t *testing.T, address string) (redis.Facts, error) {
	t.Helper()
	client, err := redis.NewClient(address, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	return redis.Inspect(t.Context(), client, "job:doctor", "job:doctor:events")
}

func TestInspect(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	got, err := inspect(t, server.URL())
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSuffix(strings.TrimPrefix(server.URL(), "redis://"), "/0"); got.Address != want || got.RoundTrip <= 0 {
		t.Errorf("facts are %+v, want the address %s", got, want)
	}
	opts, err := goredis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(opts)
	defer client.Close()
	if n := client.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("it left %d keys behind", n)
	}
}

func TestTroubleOf(t *testing.T) {
	t.Parallel()
	stranger := httptest.NewUnstartedServer(nil)
	stranger.Config.ErrorLog = log.New(io.Discard, "", 0)
	stranger.StartTLS()
	t.Cleanup(stranger.Close)
	for name, tt := range map[string]struct {
		config []any                      // of the server
		url    func(server string) string // to reach it by
		want   redis.Trouble
	}{
		"a wrong password": {
			config: []any{"ACL", "SETUSER", "default", "resetpass", ">right"},
			url:    func(s string) string { return as(s, "default", "hunter2") },
			want:   redis.TroublePassword,
		},
		"no password": {
			config: []any{"CONFIG", "SET", "requirepass", "right"},
			want:   redis.TroublePassword,
		},
		"a user without scripts": {
			config: []any{"ACL", "SETUSER", "app", "on", ">hunter2", "~*", "&*", "+@all", "-@scripting"},
			url:    func(s string) string { return as(s, "app", "hunter2") },
			want:   redis.TroublePermission,
		},
		"a user with other keys": {
			config: []any{"ACL", "SETUSER", "app", "on", ">hunter2", "~other:*", "&*", "+@all"},
			url:    func(s string) string { return as(s, "app", "hunter2") },
			want:   redis.TroublePermission,
		},
		"a replica": {
			config: []any{"REPLICAOF", "127.0.0.1", "1"},
			want:   redis.TroubleReadOnly,
		},
		"a full memory": {
			config: []any{"CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction"},
			want:   redis.TroubleFull,
		},
		// The server takes what it reads for a long command, and waits for the
		// rest.
		"a server without TLS": {
			url:  func(s string) string { return strings.Replace(s, "redis://", "rediss://", 1) },
			want: redis.TroubleUnreachable,
		},
		"a certificate of nobody's": {
			url:  func(string) string { return strings.Replace(stranger.URL, "https://", "rediss://:hunter2@", 1) },
			want: redis.TroubleTLS,
		},
		"an unknown host": {
			url:  func(string) string { return "redis://:hunter2@no-such-host.invalid:6379" },
			want: redis.TroubleHost,
		},
		"nobody there": {
			url:  func(string) string { return "redis://:hunter2@127.0.0.1:1" },
			want: redis.TroubleUnreachable,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			configure(t, server.URL(), tt.config...)
			if tt.url == nil {
				tt.url = func(s string) string { return s }
			}
			_, err := inspect(t, tt.url(server.URL()))
			if got := redis.TroubleOf(err); got != tt.want {
				t.Errorf("%q, want %q: %v", got, tt.want, err)
			}
			if strings.Contains(fmt.Sprint(err), "hunter2") {
				t.Errorf("the text shows the password: %v", err)
			}
		})
	}
}

// configure sends the server a command.
func configure(t *testing.T, address string, command ...any) {
	t.Helper()
	if len(command) == 0 {
		return
	}
	opts, err := goredis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(opts)
	defer client.Close()
	if err := client.Do(t.Context(), command...).Err(); err != nil {
		t.Fatal(err)
	}
}

// as returns the address with a user.
func as(address, user, password string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}
