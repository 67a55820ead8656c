package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/fstest"

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
	return []string{
		"00001_jobs.sql", "00002_jobs_open.sql", fmt.Sprintf("functions of %d statements", len(postgres.StatementNames())),
	}
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
	if all, want := slices.Concat(applied...), migrations(); !cmp.Equal(all, want) {
		t.Errorf("all together applied %v, want %v", all, want)
	}
}
