package postgres_test

import (
	"testing"

	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// To inspect a job takes a fixed few statements in one round trip, and costs the same
// however many others there are.
func TestInspectCostsTheSameWithAnyBacklog(t *testing.T) {
	t.Parallel()
	pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
	stopAutovacuum(t, pool)
	execSQL(t, pool, "ANALYZE jobs, images, attempts, audit")
	seed(t, pool, backlog{count: 50_000, tenants: 10})
	execSQL(t, pool, `INSERT INTO audit (at, who, role, action, target, reason)
SELECT now(), 'ada', 'admin', 'cancel job', 'job-' || n, 'because' FROM generate_series(1, 50000) AS n`)
	tr.reset()
	in, err := postgres.New(pool).Inspect(t.Context(), backlogTask(33_333).JobID)
	if err != nil || len(in.Places) == 0 {
		t.Fatalf("%+v, %v", in, err)
	}
	if tr.roundTrips != 1 || len(tr.statements) != 8 {
		t.Errorf("it takes %d statements in %d round trips, want 8 in one", len(tr.statements), tr.roundTrips)
	}
	for _, name := range []string{"read_job", "read_places", "attempts", "read_webhooks", "audit_by_target"} {
		explain(t, pool, tr.find(t, name)).wantBlocks(t, name, 2*nothingBlocks)
	}
}
