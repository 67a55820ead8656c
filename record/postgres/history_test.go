package postgres_test

import (
	"flag"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
	"github.com/ai-worker/ai-worker/record/recordtest"
)

// clockSQL makes a clock that tests set. A connection that looks for functions
// there first finds these instead of the server's own.
const clockSQL = `
CREATE SCHEMA clock;
CREATE UNLOGGED TABLE clock.moment (t timestamptz NOT NULL);
INSERT INTO clock.moment VALUES (now());
CREATE FUNCTION clock.now() RETURNS timestamptz STABLE LANGUAGE sql AS 'SELECT t FROM clock.moment';
CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz STABLE LANGUAGE sql AS 'SELECT t FROM clock.moment'`

// withClock returns a pool whose connections go by a clock, and a function that
// sets the clock.
func withClock(t *testing.T) (*pgxpool.Pool, func(time.Time)) {
	t.Helper()
	url := postgrestest.NewRecord(t)
	execSQL(t, newPool(t, url), clockSQL)
	pool := newPool(t, url+"&search_path=clock,pg_catalog,public")
	return pool, func(now time.Time) {
		if _, err := pool.Exec(t.Context(), "UPDATE clock.moment SET t = $1", now); err != nil {
			t.Fatal(err)
		}
	}
}

// In every step, Postgres does what the specification does.
func TestHistories(t *testing.T) {
	t.Parallel()
	pool, setTime := withClock(t)
	recordtest.Histories(t, func() recordtest.Timed {
		postgrestest.Empty(t, pool)
		return recordtest.Timed{Record: postgres.New(pool), SetTime: setTime}
	})
}

// An earlier SQL implementation had the first three defects, and for long nobody noticed.
// An image went on waiting although its time had come. A claimant that repeated
// its last call was told that it had lost the claim.
func TestHistoriesFindDefects(t *testing.T) {
	setFlags(t, map[string]string{"rapid.steps": "100", "rapid.shrinktime": "0", "rapid.nofailfile": "true"})
	for name, tt := range map[string]struct{ statement, old, new string }{
		"a claim's exchange leaves the holder waiting":  {"claim", ", ready = ready OR due_at <= now()", ""},
		"a postponed image goes on waiting":             {"postpone", ", ready = ready OR due_at <= now()", ""},
		"a postponed image forgets who put it back":     {"postpone", "enqueued = false,", "enqueued = false, claim = NULL,"},
		"an attempt that is taken over is not recorded": {"claim", "WHERE m.status = 'processing'", "WHERE false"},
		"a budget forgets what an image was billed":     {"cover", "SELECT id, -i.reserved_micros AS reserved, i.billed - i.counted_micros AS spent", "SELECT id, -i.reserved_micros AS reserved, 0::bigint AS spent"},
		"what is held is overtaken":                     {"create", "i.held_by = p.scope", "false"},
		"an attempt is added to the hour that it began": {"requeue", "date_trunc('hour', ended_at, 'UTC')", "date_trunc('hour', started_at, 'UTC')"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, setTime := withClock(t)
			defective := postgres.New(pool)
			postgres.Edit(t, defective, tt.statement, tt.old, tt.new)
			const tries = 50 // of a hundred histories each; one try is mostly enough
			for range tries {
				trial := &trial{TB: t}
				recordtest.Histories(trial, func() recordtest.Timed {
					postgrestest.Empty(t, pool)
					return recordtest.Timed{Record: defective, SetTime: setTime}
				})
				if trial.failed {
					return
				}
			}
			t.Error("no history finds it")
		})
	}
}

// setFlags sets flags of the test until it ends. No other test may run at the
// same time.
func setFlags(t *testing.T, values map[string]string) {
	t.Helper()
	for name, value := range values {
		before := flag.Lookup(name).Value.String()
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = flag.Set(name, before) })
	}
}

// A trial is a test that may fail without failing t.
type trial struct {
	rapid.TB

	failed bool
}

func (t *trial) Logf(string, ...any)   {}
func (t *trial) Errorf(string, ...any) { t.failed = true }
func (t *trial) Failed() bool          { return t.failed }
func (t *trial) FailNow()              { t.failed = true }
