package postgres_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// A trace notes what is sent to the database.
type trace struct {
	mu         sync.Mutex
	statements []pgx.QueuedQuery
	roundTrips int
}

func (tr *trace) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	tr.note(data.SQL, data.Args)
	tr.trip()
	return ctx
}

func (tr *trace) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (tr *trace) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	tr.trip()
	return ctx
}

func (tr *trace) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	tr.note(data.SQL, data.Args)
}

func (tr *trace) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

func (tr *trace) note(sql string, args []any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.statements = append(tr.statements, pgx.QueuedQuery{SQL: sql, Arguments: args})
}

func (tr *trace) trip() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.roundTrips++
}

func (tr *trace) reset() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.statements, tr.roundTrips = nil, 0
}

// find returns a statement with its arguments, by name.
func (tr *trace) find(t testing.TB, statement string) *pgx.QueuedQuery {
	t.Helper()
	for _, s := range tr.statements {
		if nameOf(s.SQL) == statement {
			return &pgx.QueuedQuery{SQL: statement, Arguments: s.Arguments}
		}
	}
	t.Fatalf("%s was not sent", statement)
	return nil
}

// nameOf returns the name of a prepared statement without the part that makes
// it unique.
func nameOf(prepared string) string {
	name := strings.TrimPrefix(prepared, "ai_worker_")
	if i := strings.LastIndex(name, "_"); i > 0 {
		name = name[:i]
	}
	return name
}

func newTracedPool(t testing.TB, url string) (*pgxpool.Pool, *trace) {
	t.Helper()
	cfg := newPool(t, url).Config()
	tr := &trace{}
	cfg.ConnConfig.Tracer = tr
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool, tr
}

// For databases that are billed and pooled by use, each statement counts. A
// picture takes two round trips: claim (lock, claim, read) and finish (move,
// read), with a budget as without.
func TestPictureTakesTwoRoundTrips(t *testing.T) {
	t.Parallel()
	pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
	rec := postgres.New(pool)
	d := submission(2)
	d.PriceMicros = price
	d.Budgets.Periods = job.Budgets{job.ServiceBudget: {LimitMicros: 1 << 40, Per: job.PerDay, Zone: time.UTC}}.Of("acme", time.Now())
	_, tasks, err := rec.Create(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	tasks = append(tasks, create(t, rec, 1)...) // without a budget
	for _, task := range []job.Task{tasks[1], tasks[0], tasks[2]} {
		tr.reset()
		c, err := rec.Claim(t.Context(), record.ClaimRequest{Model: model, Task: task, Lease: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rec.Succeed(t.Context(), c, record.Success{}); err != nil {
			t.Fatal(err)
		}
		if len(tr.statements) != 5 || tr.roundTrips != 2 {
			t.Errorf("%d statements in %d round trips, want 5 in 2", len(tr.statements), tr.roundTrips)
		}
	}
}
