package postgres_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/status"
	"github.com/ai-worker/ai-worker/status/postgres"
	"github.com/ai-worker/ai-worker/status/postgres/postgrestest"
	"github.com/ai-worker/ai-worker/status/statustest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	pool := newPool(t, newURL(t))
	statustest.Run(t, func(t *testing.T) status.Store {
		// Emptying one database takes a hundredth of the time of making another.
		if _, err := pool.Exec(t.Context(), "DELETE FROM jobs; DELETE FROM turns; DELETE FROM tenants; DELETE FROM lanes"); err != nil {
			t.Fatal(err)
		}
		return postgres.New(pool)
	})
}

// newURL is the URL of an empty database with the schema of Migrate.
func newURL(t testing.TB) string {
	t.Helper()
	return postgrestest.New(t, os.DirFS("migrations"), func(ctx context.Context, url string) error {
		_, err := postgres.Migrate(ctx, url)
		return err
	})
}

func newPool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.NewPool(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

const (
	model = "model-a"
	lane  = "lane"
)

func submission(count int) status.Submission {
	return status.Submission{
		ID: uuid.Must(uuid.NewV7()).String(), Tenant: "acme", ExpiresIn: time.Hour, Weight: 1, Lanes: slices.Repeat([]string{lane}, count),
		Input: job.Input{Prompt: "a lighthouse", Model: model, Count: count},
	}
}

// create records a job of count pictures and returns their tasks.
func create(t testing.TB, store status.Store, count int) []job.Task {
	t.Helper()
	_, tasks, err := store.Create(t.Context(), submission(count))
	if err != nil {
		t.Fatal(err)
	}
	return tasks
}
