package postgres_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// inspect calls Inspect on the database at url.
func inspect(t *testing.T, url string) (postgres.Facts, error) {
	t.Helper()
	pool, err := postgres.NewPool(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	return postgres.Inspect(t.Context(), pool)
}

// altered returns the URL with parts of it changed.
func altered(t *testing.T, raw string, alter func(u *url.URL)) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	alter(u)
	return u.String()
}

func TestInspect(t *testing.T) {
	t.Parallel()
	raw := postgrestest.NewRecord(t)
	got, err := inspect(t, raw)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	want := postgres.Facts{Address: u.Host, Planning: postgres.PlanningPrepared}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(postgres.Facts{}, "Version", "RoundTrip", "Ahead")); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	if got.Version < 100_000 || got.RoundTrip <= 0 || got.RoundTrip > 10*time.Second || got.Ahead.Abs() > time.Minute {
		t.Errorf("facts are %+v", got)
	}
}

func TestInspectTellsTheSchemasVersion(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		url     func(*testing.T) string
		change  string
		pending []string
		newer   []int64
	}{
		"none":       {url: newEmptyURL, pending: migrations()},
		"older":      {change: "DELETE FROM goose_db_version WHERE version_id = 2", pending: migrations()[1:2]},
		"newer":      {change: "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)", newer: []int64{99}},
		"the newest": {},
		"without a function": {
			change: "DROP FUNCTION " + functionOf("claim"), pending: []string{"functions of 1 statements"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.url == nil {
				tt.url = func(t *testing.T) string { return postgrestest.NewRecord(t) }
			}
			url := tt.url(t)
			if tt.change != "" {
				execSQL(t, newPool(t, url), tt.change)
			}
			got, err := inspect(t, url)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.pending, got.Pending); diff != "" {
				t.Errorf("pending (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.newer, got.Newer); diff != "" {
				t.Errorf("newer (-want +got):\n%s", diff)
			}
		})
	}
}

func functionOf(statement string) string {
	_, name, _ := postgres.StatementSQL(statement)
	return name
}

func TestInspectKnowsPoolers(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"ep-cool-1-pooler.eu-central-1.aws.neon.tech:5432": true,
		"ep-cool-1.eu-central-1.aws.neon.tech:5432":        false,
		"aws-0-eu-central-1.pooler.supabase.com:6543":      true,
		"127.0.0.1:6432": true,
		"127.0.0.1:5432": false,
	} {
		pool, err := postgres.NewPool(t.Context(), "postgres://user:hunter2@"+address+"/jobs?connect_timeout=1")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		got, err := postgres.Inspect(ctx, pool)
		if err == nil || got.Pooler != want || got.Address != address {
			t.Errorf("%s: %+v, %v", address, got, err)
		}
		pool.Close()
	}
}

func TestTroubleOf(t *testing.T) {
	t.Parallel()
	raw := postgrestest.NewRecord(t)
	stranger := newRole(t, raw, "hunter2")
	for name, tt := range map[string]struct {
		url  string
		want postgres.Trouble
	}{
		"an unknown host": {"postgres://u:hunter2@no-such-host.invalid/jobs", postgres.TroubleHost},
		"nobody there":    {"postgres://u:hunter2@127.0.0.1:1/jobs", postgres.TroubleUnreachable},
		"one who says nothing": {
			"postgres://u:hunter2@" + newSilentServer(t) + "/jobs?connect_timeout=1", postgres.TroubleUnreachable,
		},
		"no TLS": {
			altered(t, raw, func(u *url.URL) { u.RawQuery = "sslmode=require" }), postgres.TroubleTLS,
		},
		"a wrong password": {
			altered(t, raw, func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), "hunter2") }), postgres.TroublePassword,
		},
		"a wrong database": {
			altered(t, raw, func(u *url.URL) { u.Path = "/no_such_database" }), postgres.TroubleDatabase,
		},
		"a user who may not look": {
			altered(t, raw, func(u *url.URL) { u.User = url.UserPassword(stranger, "hunter2") }), postgres.TroublePermission,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := inspect(t, tt.url)
			if got := postgres.TroubleOf(err); got != tt.want {
				t.Errorf("%q, want %q: %v", got, tt.want, err)
			}
			if strings.Contains(fmt.Sprint(err), "hunter2") {
				t.Errorf("the text shows the password: %v", err)
			}
		})
	}
}

// newRole creates a role on the server. The role owns nothing.
func newRole(t *testing.T, raw, password string) string {
	t.Helper()
	name := "stranger_" + strings.ToLower(rand.Text())
	pool := newPool(t, raw)
	execSQL(t, pool, "CREATE ROLE "+name+" LOGIN PASSWORD '"+password+"'")
	t.Cleanup(func() {
		if _, err := pool.Exec(context.Background(), "DROP ROLE "+name); err != nil {
			t.Error(err)
		}
	})
	return name
}

// newSilentServer starts a server that takes connections and says nothing, and
// returns its address.
func newSilentServer(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go io.Copy(io.Discard, conn)
		}
	}()
	return ln.Addr().String()
}
