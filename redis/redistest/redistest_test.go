package redistest_test

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ai-worker/ai-worker/redis/redistest"
	"github.com/ai-worker/ai-worker/test/need"
)

func TestServersAreIsolated(t *testing.T) {
	t.Parallel()
	one, other := connect(t, redistest.Start(t)), connect(t, redistest.Start(t))

	if err := one.Set(t.Context(), "key", "value", 0).Err(); err != nil {
		t.Fatal(err)
	}

	if n := one.Exists(t.Context(), "key").Val(); n != 1 {
		t.Errorf("%d keys on the server written to, want 1", n)
	}
	if n := other.Exists(t.Context(), "key").Val(); n != 0 {
		t.Errorf("%d keys on the other server, want 0", n)
	}
}

func TestOutage(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	url, client := server.URL(), connect(t, server)
	if err := client.Set(t.Context(), "key", "value", 0).Err(); err != nil {
		t.Fatal(err)
	}

	server.Stop()
	server.Stop() // does nothing
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Error("a stopped server answers")
	}

	server.Restart()
	if server.URL() != url {
		t.Errorf("URL is %s after the restart, want %s", server.URL(), url)
	}
	if n, err := client.Exists(t.Context(), "key").Result(); n != 0 || err != nil {
		t.Errorf("after the restart: %d keys, %v; want an empty server that answers", n, err)
	}

	server.Restart() // also while it runs
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("after the second restart: %v", err)
	}
}

func TestStopsWithTheTest(t *testing.T) {
	t.Parallel()
	var client *redis.Client
	t.Run("test", func(t *testing.T) {
		server := redistest.Start(t)
		client = newClient(t, server)
	})
	t.Cleanup(func() { _ = client.Close() })

	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Error("the server answers after its test ended")
	}
}

func TestWithoutRedis(t *testing.T) {
	t.Setenv("PATH", t.TempDir())

	t.Setenv("CI", "")
	laptop := need.Try(t, func(t testing.TB) { redistest.Start(t) })
	if !strings.Contains(laptop.Skipped, "make test") || laptop.Failed != "" {
		t.Errorf("on a laptop: skip %q, fatal %q; want a skip that names `make test`", laptop.Skipped, laptop.Failed)
	}

	t.Setenv("CI", "true")
	ci := need.Try(t, func(t testing.TB) { redistest.Start(t) })
	if ci.Failed == "" || ci.Skipped != "" {
		t.Errorf("in CI: skip %q, fatal %q; want a failure", ci.Skipped, ci.Failed)
	}
}

func connect(t *testing.T, server *redistest.Server) *redis.Client {
	t.Helper()
	client := newClient(t, server)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func newClient(t *testing.T, server *redistest.Server) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	options.DisableIdentity = true
	options.MaxRetries, options.DialerRetries = -1, 1 // an outage must show at once
	return redis.NewClient(options)
}
