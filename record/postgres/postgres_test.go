package postgres_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
	"github.com/ai-worker/ai-worker/record/recordtest"
)

func TestRecord(t *testing.T) {
	t.Parallel()
	pool := newPool(t, postgrestest.NewRecord(t))
	recordtest.Run(t, func(t *testing.T) record.Record {
		postgrestest.Empty(t, pool)
		return postgres.New(pool)
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

func submission(count int) record.Draft {
	return record.Draft{
		ID: uuid.Must(uuid.NewV7()).String(), Tenant: "acme", ExpiresIn: time.Hour, Weight: 1, Lanes: slices.Repeat([]string{lane}, count),
		Input: job.Input{Prompt: "a lighthouse", Model: model, Count: count},
	}
}

// create records a job of count pictures and returns their tasks.
func create(t testing.TB, rec record.Record, count int) []job.Task {
	t.Helper()
	_, tasks, err := rec.Create(t.Context(), submission(count))
	if err != nil {
		t.Fatal(err)
	}
	return tasks
}
