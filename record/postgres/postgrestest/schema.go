package postgrestest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ai-worker/ai-worker/record/postgres"
)

// NewRecord returns the URL of an empty database for t alone, with the schema
// of a record.
func NewRecord(t testing.TB) string {
	t.Helper()
	return New(t, postgres.Files(), func(ctx context.Context, url string) error {
		_, err := postgres.Migrate(ctx, url)
		return err
	})
}

// Empty deletes everything that a record has in its database. It takes a
// hundredth of the time of making another database.
func Empty(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	_, err := pool.Exec(t.Context(), `
DELETE FROM jobs; DELETE FROM turns; DELETE FROM tenants; DELETE FROM lanes; DELETE FROM hourly; DELETE FROM budgets; DELETE FROM budget_webhooks;
DELETE FROM login_tries; DELETE FROM ended_sessions; DELETE FROM ignored_errors; DELETE FROM bulks;
TRUNCATE audit RESTART IDENTITY -- a trigger lets nobody delete from it`)
	if err != nil {
		t.Fatal(err)
	}
}
