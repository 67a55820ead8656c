//go:build !race

package postgres_test

import (
	"flag"
	"testing"

	"pgregory.net/rapid"

	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
	"github.com/ai-worker/ai-worker/record/recordtest"
)

// Thousands of histories are needed to be sure, which takes too long under the race
// detector: this has a run of its own.
//
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
		"an attempt goes while its image is open":       {"retire_attempts", "NOT IN ('queued', 'processing')", "IS NOT NULL"},
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
