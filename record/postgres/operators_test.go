package postgres_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// Who may write to the database can change or remove nothing of the audit that is
// not past its time.
func TestAuditIsOnlyAddedTo(t *testing.T) {
	t.Parallel()
	pool := newPool(t, postgrestest.NewRecord(t))
	rec := postgres.New(pool)
	if err := rec.PauseByHand(t.Context(), lane, record.Act{Who: "alice", Role: "admin", Action: record.ActionPauseLane, Reason: "why"}); err != nil {
		t.Fatal(err)
	}
	execSQL(t, pool, `INSERT INTO audit (at, who, role, action, target, reason)
VALUES (now() - interval '401 days', 'alice', 'admin', 'pause lane', 'a', 'long ago')`)
	for _, sql := range []string{
		"UPDATE audit SET who = 'bob'", "DELETE FROM audit", "DELETE FROM audit WHERE reason = 'why'",
		"UPDATE audit SET at = at - interval '1 year'",
	} {
		if _, err := pool.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "the audit is only added to") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	for _, want := range []int{1, 0} {
		if n, err := rec.RetireAudit(t.Context(), 10); n != want || err != nil {
			t.Errorf("removed %d, %v; want %d", n, err, want)
		}
	}
}

// manyTenants is how many tenants wait.
const manyTenants = 1_000

// How many blocks the statements of an overview may touch: the row of each tenant,
// a way down an index for each that is listed, the images at work and the jobs that
// are counted.
func overviewBlocks() map[string]int {
	return map[string]int{
		"clock": 0, "lane_states": nothingBlocks, "in_flight": 500, "models": modelsBlocks + manyTenants, "backlog": backlogBlocks,
		"tenants_waiting": manyTenants + 10*record.MaxTenants, "ended": record.MaxEnded * 5 / 4,
	}
}

// An overview is a fixed few statements in one round trip, whatever waits or has
// ended, and whatever statistics tell.
func TestOverviewCostsTheSameWithAnyHistory(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		ended   int
		analyze bool // statistics are fresh; otherwise they tell of an empty table
	}{{1_000, true}, {100_000, true}, {100_000, false}} {
		t.Run(fmt.Sprint(test.ended, " ended, analyzed: ", test.analyze), func(t *testing.T) {
			t.Parallel()
			pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
			stopAutovacuum(t, pool)
			execSQL(t, pool, "ANALYZE jobs, images, tenants")
			keepDeadRows(t, pool)
			seed(t, pool, backlog{first: 1_000_000, count: test.ended, tenants: 3, state: "succeeded"})
			seed(t, pool, backlog{first: 2_000_000, count: 200, tenants: 3, state: "processing"})
			seed(t, pool, backlog{count: 50_000, tenants: manyTenants})
			if test.analyze {
				execSQL(t, pool, "ANALYZE jobs, images, tenants")
			}
			tr.reset()
			o, err := postgres.New(pool).Overview(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			blocks := overviewBlocks()
			if tr.roundTrips != 1 || len(tr.statements) != len(blocks) {
				t.Errorf("it takes %d statements in %d round trips, want %d in one", len(tr.statements), tr.roundTrips, len(blocks))
			}
			for _, name := range slices.Sorted(maps.Keys(blocks)) {
				explain(t, pool, tr.find(t, name)).wantBlocks(t, name, blocks[name])
			}
			most := test.ended > record.MaxEnded
			if got := o.Ended.Jobs[job.StatusSucceeded]; got != min(test.ended, record.MaxEnded) || o.Ended.More != most {
				t.Errorf("%d ended, and more: %t", got, o.Ended.More)
			}
			if len(o.Tenants) != record.MaxTenants || o.Waiting != manyTenants || o.InFlight[lane] != 200 || o.Backlog.Waiting != 50_000 {
				t.Errorf("%d of %d tenants, %v at work, %d wait", len(o.Tenants), o.Waiting, o.InFlight, o.Backlog.Waiting)
			}
		})
	}
}

// keepDeadRows begins a transaction that sees the database as it is now, until the
// test ends. So no row that is updated meanwhile can be cleared away, as is so
// at times while autovacuum analyzes any table.
func keepDeadRows(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	tx, err := pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback(context.Background()) })
	if _, err := tx.Exec(t.Context(), "SELECT count(*) FROM tenants"); err != nil {
		t.Fatal(err)
	}
}

// A page of the audit costs the same however much was done, by anybody.
func TestAuditCostsTheSameWithAnyHistory(t *testing.T) {
	t.Parallel()
	pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
	execSQL(t, pool, "ANALYZE audit")
	execSQL(t, pool, `INSERT INTO audit (at, who, role, action, target, reason)
SELECT now(), 'user-' || n % 1000, 'admin', 'pause lane', 'lane-' || n % 1000, 'because' FROM generate_series(1, 100000) AS n`)
	rec := postgres.New(pool)
	for name, q := range map[string]record.AuditQuery{
		"audit": {Before: 50_000}, "audit_by_who": {Who: "user-7", Before: 50_000}, "audit_by_target": {Target: "lane-7"},
	} {
		q.Limit = 50
		page, err := rec.Audit(t.Context(), q)
		if err != nil || len(page.Entries) != 50 {
			t.Fatalf("%d entries, %v", len(page.Entries), err)
		}
		explain(t, pool, tr.find(t, name)).wantBlocks(t, name, 51+nothingBlocks)
	}
	if n, err := rec.RetireAudit(t.Context(), 100); n != 0 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	explain(t, pool, tr.find(t, "retire_audit")).wantBlocks(t, "RetireAudit", nothingBlocks)
}

// Old tries to log in, and sessions that are long over, do not stay.
func TestLoginsAreForgotten(t *testing.T) {
	t.Parallel()
	pool, setTime := withClock(t)
	rec := postgres.New(pool)
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for n := range 3 {
		setTime(now.Add(time.Duration(n) * record.LoginWindow))
		id := fmt.Sprintf("00000000-0000-4000-8000-%012x", n)
		if err := rec.BeginLogin(t.Context(), record.LoginTry{ID: id, User: "alice", Address: "192.0.2.1"}); err != nil {
			t.Fatal(err)
		}
		if err := rec.EndSession(t.Context(), id, time.Minute, record.Act{Who: "alice", Role: "viewer", Action: record.ActionLogOut}); err != nil {
			t.Fatal(err)
		}
	}
	var tries, sessions int
	if err := pool.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM login_tries), (SELECT count(*) FROM ended_sessions)").Scan(&tries, &sessions); err != nil {
		t.Fatal(err)
	}
	if tries != 1 || sessions != 1 {
		t.Errorf("%d tries and %d sessions are kept, want the latest of each", tries, sessions)
	}
}
