package postgrestest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
	"github.com/ai-worker/ai-worker/test/need"
)

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	s := newSchema(t)

	one := connect(t, postgrestest.New(t, s.files, s.migrate))
	other := connect(t, postgrestest.New(t, s.files, s.migrate))
	exec(t, one, "INSERT INTO things VALUES ('mine')")

	if n := count(t, one); n != 1 {
		t.Errorf("%d things in the database written to, want 1", n)
	}
	if n := count(t, other); n != 0 {
		t.Errorf("%d things in the other database, want 0", n)
	}
}

func TestMigratesOnceHoweverManyTestsRun(t *testing.T) {
	t.Parallel()
	s := newSchema(t)

	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { postgrestest.New(t, s.files, s.migrate) })
	}
	group.Wait()

	if n := s.migrated.Load(); n != 1 {
		t.Errorf("migrated %d times, want once", n)
	}
}

func TestOtherMigrationsMakeAnotherTemplate(t *testing.T) {
	t.Parallel()
	first, second := newSchema(t), newSchema(t)

	postgrestest.New(t, first.files, first.migrate)
	postgrestest.New(t, second.files, second.migrate)

	if n := second.migrated.Load(); n != 1 {
		t.Errorf("the second schema was migrated %d times, want once", n)
	}
}

func TestDropsTheDatabaseWithTheTest(t *testing.T) {
	t.Parallel()
	s := newSchema(t)

	var url string
	t.Run("test", func(t *testing.T) {
		url = postgrestest.New(t, s.files, s.migrate)
		conn, err := pgx.Connect(t.Context(), url) // the connection is never closed
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.PgConn().Conn().Close() })
	})

	_, err := pgx.Connect(t.Context(), url)
	if err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("connecting after the test gave %v, want that the database does not exist", err)
	}
}

func TestRecoversFromAFailedMigration(t *testing.T) {
	t.Parallel()
	s := newSchema(t)

	broken := need.Try(t, func(t testing.TB) {
		postgrestest.New(t, s.files, func(context.Context, string) error { return errors.New("no such type") })
	})
	if !strings.Contains(broken.Failed, "no such type") {
		t.Fatalf("a failed migration failed the test with %q, want its error", broken.Failed)
	}

	if n := count(t, connect(t, postgrestest.New(t, s.files, s.migrate))); n != 0 {
		t.Errorf("%d things in a fresh database, want 0", n)
	}
}

func TestWithoutPostgres(t *testing.T) {
	t.Setenv("TEST_DATABASE_URL", "")

	t.Setenv("CI", "")
	laptop := need.Try(t, func(t testing.TB) { postgrestest.New(t, nil, nil) })
	if !strings.Contains(laptop.Skipped, "make test") || laptop.Failed != "" {
		t.Errorf("on a laptop: skip %q, fatal %q; want a skip that names `make test`", laptop.Skipped, laptop.Failed)
	}

	t.Setenv("CI", "true")
	ci := need.Try(t, func(t testing.TB) { postgrestest.New(t, nil, nil) })
	if ci.Failed == "" || ci.Skipped != "" {
		t.Errorf("in CI: skip %q, fatal %q; want a failure", ci.Skipped, ci.Failed)
	}
}

// A schema is one that no other test has. It counts how often it was migrated.
type schema struct {
	files    fstest.MapFS
	migrated atomic.Int32
}

func newSchema(t *testing.T) *schema {
	t.Helper()
	content := "CREATE TABLE things (name text) -- " + t.Name() + time.Now().String()
	return &schema{files: fstest.MapFS{"migrations/1.sql": {Data: []byte(content)}}}
}

func (s *schema) migrate(ctx context.Context, databaseURL string) error {
	s.migrated.Add(1)
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, string(s.files["migrations/1.sql"].Data))
	return errors.Join(err, conn.Close(ctx))
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, conn *pgx.Conn) int {
	t.Helper()
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM things").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
