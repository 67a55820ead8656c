package doctor_test

import (
	"context"
	"crypto/rand"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ai-worker/ai-worker/doctor"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// newDatabase creates a database with the newest schema and returns its
// address.
func newDatabase(t *testing.T) string {
	t.Helper()
	return postgrestest.NewRecord(t)
}

func pool(t *testing.T, address string) *pgxpool.Pool {
	t.Helper()
	p, err := postgres.NewPool(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func exec(t *testing.T, p *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := p.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// examineDatabase examines the database at an address.
func examineDatabase(t *testing.T, address string) []doctor.Finding {
	t.Helper()
	p := pool(t, address)
	return examine(t, doctor.Database(func(ctx context.Context) (postgres.Facts, error) { return postgres.Inspect(ctx, p) }))
}

// altered returns the address as alter changes it.
func altered(t *testing.T, address string, alter func(u *url.URL)) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	alter(u)
	return u.String()
}

// newRole creates a role on the server, with an option of CREATE ROLE.
func newRole(t *testing.T, address, option string) *url.Userinfo {
	t.Helper()
	name := "stranger_" + strings.ToLower(rand.Text())
	p := pool(t, address)
	exec(t, p, "CREATE ROLE "+name+" LOGIN PASSWORD 'right' "+option)
	t.Cleanup(func() {
		if _, err := p.Exec(context.Background(), "DROP ROLE "+name); err != nil {
			t.Error(err)
		}
	})
	return url.UserPassword(name, "right")
}

func TestDatabase(t *testing.T) {
	t.Parallel()
	address := newDatabase(t)
	expect(t, examineDatabase(t, address), want{doctor.OK, "", "the schema is up to date", ""})
}

func TestDatabaseIsOutOfReach(t *testing.T) {
	t.Parallel()
	address := newDatabase(t)
	stranger, shutOut := newRole(t, address, ""), newRole(t, address, "CONNECTION LIMIT 0")
	for name, tt := range map[string]struct {
		address string
		want    want
	}{
		"unknown host":  {"postgres://u:right@no-such-host.invalid/jobs", want{doctor.Failed, "", "the name of no-such-host.invalid:5432 is unknown", "host in DATABASE_URL"}},
		"nobody there":  {"postgres://u:right@" + nobody(t) + "/jobs", want{doctor.Failed, "", "cannot be reached", "firewall"}},
		"silent server": {"postgres://u:right@" + startSilent(t) + "/jobs?connect_timeout=1", want{doctor.Failed, "", "cannot be reached", "firewall"}},
		"no TLS": {
			altered(t, address, func(u *url.URL) { u.RawQuery = "sslmode=require" }),
			want{doctor.Failed, "", "do not agree on TLS", "sslmode"},
		},
		"wrong password": {
			altered(t, address, func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), "wrong") }),
			want{doctor.Failed, "", "refuses the user or the password", "DATABASE_URL"},
		},
		"wrong name": {
			altered(t, address, func(u *url.URL) { u.Path = "/no_such_database" }),
			want{doctor.Failed, "", "has no such database", "createdb"},
		},
		"no permission": {
			altered(t, address, func(u *url.URL) { u.User = stranger }),
			want{doctor.Failed, "", "may not use the tables", "GRANT"},
		},
		"no connection left": {
			altered(t, address, func(u *url.URL) { u.User = shutOut }),
			want{doctor.Failed, "", "takes no more connections", "pool_max_conns"},
		},
	} {
		t.Run(name, func(t *testing.T) { expect(t, examineDatabase(t, tt.address), tt.want) })
	}
}

func TestDatabaseOfAnotherSchema(t *testing.T) {
	t.Parallel()
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		empty := postgrestest.New(t, fstest.MapFS{}, func(context.Context, string) error { return nil })
		expect(t, examineDatabase(t, empty), want{doctor.Failed, "", "it lacks 00001_jobs.sql, 00002", "ai-worker migrate"})
	})
	t.Run("older", func(t *testing.T) {
		t.Parallel()
		address := newDatabase(t)
		exec(t, pool(t, address), "DELETE FROM goose_db_version WHERE version_id = 2")
		expect(t, examineDatabase(t, address), want{doctor.Failed, "", "it lacks 00002", "gcloud run jobs execute ai-worker-migrate"})
	})
	t.Run("newer", func(t *testing.T) {
		t.Parallel()
		address := newDatabase(t)
		exec(t, pool(t, address), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true), (98, true)")
		expect(t, examineDatabase(t, address), want{doctor.Warning, "", "does not know its version 99", "Deploy the image"})
	})
}

func TestDatabaseByItsFacts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		facts postgres.Facts
		wants []want
	}{
		"in order": {
			postgres.Facts{Address: "db:5432", Version: 170_002, RoundTrip: 1234 * time.Microsecond},
			[]want{{doctor.OK, "", "db:5432 is PostgreSQL 17.2, 1.2 ms away", ""}},
		},
		"far away": {
			postgres.Facts{Address: "db:5432", Version: 170_002, RoundTrip: 123456 * time.Microsecond},
			[]want{{doctor.OK, "", "123 ms away", ""}},
		},
		"old": {
			postgres.Facts{Version: 130_022},
			[]want{{doctor.Warning, "", "PostgreSQL 13.22, which gets no fixes", "Upgrade"}},
		},
		"too old, and empty": {
			postgres.Facts{Version: 110_004, Pending: []string{"00001_jobs.sql"}},
			[]want{{doctor.Failed, "", "the schema needs 12", "Upgrade"}, {doctor.Failed, "", "lacks 00001_jobs.sql", "migrate"}},
		},
		"older, behind a pooler": {
			postgres.Facts{Address: "a-pooler.neon.tech:5432", Version: 170_000, Pooler: true, Pending: []string{"00002_x.sql"}},
			[]want{{doctor.Failed, "", "lacks 00002_x.sql", "direct connection, and a-pooler.neon.tech:5432 is a transaction pooler's"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := examine(t, doctor.Database(func(context.Context) (postgres.Facts, error) { return tt.facts, nil }))
			expect(t, got, tt.wants...)
		})
	}
}

func TestDatabaseWhoseAddressMakesNoSense(t *testing.T) {
	t.Parallel()
	got := examine(t, doctor.Database(func(context.Context) (postgres.Facts, error) {
		return postgres.Facts{Address: "DATABASE_URL"}, postgres.ErrBadURL
	}))
	expect(t, got, want{doctor.Failed, "", "not a valid connection string", "README"})
}
