package postgres_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// A sweep without a bulk reads an empty index. A page of a bulk takes three statements,
// and each of its jobs one to count, whatever the history.
func TestABulkCostsTheSameWithAnyHistory(t *testing.T) {
	t.Parallel()
	pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
	seed(t, pool, backlog{count: 20_000, tenants: 3})
	rec := postgres.New(pool)
	for range 50 { // they have ended
		endBulk(t, rec)
	}
	execSQL(t, pool, "ANALYZE jobs, images, bulks")
	tr.reset()
	if open, err := rec.OpenBulks(t.Context(), 20); err != nil || len(open) != 0 {
		t.Fatalf("open: %+v, %v", open, err)
	}
	plan := explain(t, pool, tr.find(t, "open_bulks"))
	plan.wantBlocks(t, "a sweep without bulks", nothingBlocks)
	if plan.index("bulks_open") == nil {
		t.Error("bulks that have not ended are not looked up in bulks_open")
	}

	b := startBulk(t, rec)
	tr.reset()
	targets, err := rec.BulkTargets(t.Context(), b, 20)
	if err != nil || len(targets.Jobs) != 20 {
		t.Fatalf("%d jobs, %v", len(targets.Jobs), err)
	}
	if len(tr.statements) != 3 || tr.roundTrips != 2 {
		t.Errorf("a page takes %d statements in %d round trips, want 3 in 2", len(tr.statements), tr.roundTrips)
	}
	tr.reset()
	if _, err := rec.AdvanceBulk(t.Context(), b, record.BulkStep{Outcome: record.BulkJobDone, Cursor: targets.Jobs[0].Job.ID}); err != nil {
		t.Fatal(err)
	}
	if len(tr.statements) != 1 {
		t.Errorf("a job takes %d statements to count, want 1", len(tr.statements))
	}
}

func startBulk(t *testing.T, rec *postgres.Record) record.Bulk {
	t.Helper()
	q, _ := record.BulkCancel.Narrow(record.SearchQuery{})
	b, err := rec.StartBulk(t.Context(), record.BulkDraft{ID: uuid.Must(uuid.NewV7()).String(), Action: record.BulkCancel, Query: q}, record.Act{Who: "otto"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func endBulk(t *testing.T, rec *postgres.Record) {
	t.Helper()
	if _, err := rec.AdvanceBulk(t.Context(), startBulk(t, rec), record.BulkStep{End: true}); err != nil {
		t.Fatal(err)
	}
}
