package postgres_test

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// newEmptyURL returns the URL of a database without a schema.
func newEmptyURL(t *testing.T) string {
	t.Helper()
	return postgrestest.New(t, fstest.MapFS{}, func(context.Context, string) error { return nil })
}

// migrations returns all that Migrate applies to an empty database, in order.
func migrations() []string {
	files, err := fs.Glob(postgres.Files(), "migrations/*.sql")
	if err != nil {
		panic(err)
	}
	for i, file := range files {
		files[i] = path.Base(file)
	}
	return append(files, fmt.Sprintf("functions of %d statements", len(postgres.StatementNames())))
}

func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	url := newEmptyURL(t) + "&pool_max_conns=2" // as in a url that is shared with NewPool
	applied, err := postgres.Migrate(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if want := migrations(); !cmp.Equal(applied, want) {
		t.Errorf("applied %v, want %v", applied, want)
	}
	again, err := postgres.Migrate(t.Context(), url)
	if err != nil || len(again) != 0 {
		t.Errorf("the second time applied %v, error %v", again, err)
	}
}

func TestMigrateFromManyInstancesAtOnce(t *testing.T) {
	t.Parallel()
	url := newEmptyURL(t)
	applied := make([][]string, 3)
	var group sync.WaitGroup
	for i := range applied {
		group.Go(func() {
			var err error
			if applied[i], err = postgres.Migrate(t.Context(), url); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	all, want := slices.Concat(applied...), migrations()
	slices.Sort(all) // one may apply the files, and another one the functions
	slices.Sort(want)
	if !cmp.Equal(all, want) {
		t.Errorf("all together applied %v, want %v", all, want)
	}
}

// A service goes on recording jobs while an index is built, even if a transaction
// is open that the build has to wait for.
func TestMigrateLetsTheServiceWrite(t *testing.T) {
	t.Parallel()
	url := newEmptyURL(t)
	if err := postgres.MigrateTo(t.Context(), url, 1); err != nil {
		t.Fatal(err)
	}
	pool := newPool(t, url)
	slow, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const insert = `
INSERT INTO jobs (id, tenant, priority, input, fingerprint, total, queued, created_at, expires_at)
VALUES (gen_random_uuid(), 'acme', 0, '{}', '', 1, 1, now(), now())`
	if _, err := slow.Exec(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	migrated := make(chan error, 1)
	go func() {
		_, err := postgres.Migrate(t.Context(), url)
		migrated <- err
	}()
	for waits := false; !waits; {
		select {
		case err := <-migrated:
			t.Fatalf("it did not wait: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
		err := pool.QueryRow(t.Context(), `
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%INDEX%')`).
			Scan(&waits)
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pool.Exec(t.Context(), insert); err != nil { // ends after 15 s
		t.Errorf("a job cannot be recorded while an index is built: %v", err)
	}
	if err := slow.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-migrated; err != nil {
		t.Error(err)
	}
}

// Somebody reads a table for long, as a dump does. A migration that needs the
// table gives up, says so and can be run again. Meanwhile the service, which
// would queue up behind it, waits for some seconds at most.
func TestMigrateDoesNotWaitForATableForLong(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version int64 // the next one needs the table
		table   string
	}{{3, "images"}, {5, "jobs"}, {7, "jobs"}, {8, "images"}, {9, "images"}, {10, "lanes"}} {
		t.Run(fmt.Sprint(test.version), func(t *testing.T) {
			t.Parallel()
			migrateWhileRead(t, test.version, test.table)
		})
	}
}

func migrateWhileRead(t *testing.T, version int64, table string) {
	t.Helper()
	url := newEmptyURL(t)
	if err := postgres.MigrateTo(t.Context(), url, version); err != nil {
		t.Fatal(err)
	}
	dump, err := newPool(t, url).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dump.Exec(t.Context(), "SELECT count(*) FROM "+table); err != nil {
		t.Fatal(err)
	}
	waits, cancel := context.WithTimeout(t.Context(), time.Minute) // a migration without a limit waits for good
	defer cancel()
	if _, err := postgres.Migrate(waits, url); err == nil || !strings.Contains(err.Error(), "run it again") {
		t.Errorf("got the error %v, want one that says to run it again", err)
	}
	if err := dump.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.Migrate(t.Context(), url); err != nil {
		t.Error(err)
	}
}
