package postgres_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

// One function reads the rows of all statements that return jobs. So their
// columns are the same, although each stands whole in a file of its own.
func TestStatementsThatReturnJobsAgree(t *testing.T) {
	t.Parallel()
	columns := func(statement string) string {
		sql, _, _ := postgres.StatementSQL(statement)
		list, _, found := strings.Cut(sql, "\nFROM ")
		if !found {
			t.Fatalf("%s has no columns", statement)
		}
		return list
	}
	for _, statement := range []string{"read_jobs", "read_listed", "read_claimed", "retired"} {
		if diff := cmp.Diff(columns("read_job"), columns(statement)); diff != "" {
			t.Errorf("columns of %s (-read_job +%s):\n%s", statement, statement, diff)
		}
	}
}
