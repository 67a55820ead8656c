package doctor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/doctor"
	"github.com/ai-worker/ai-worker/record"
)

// told is a record that returns what a test sets.
type told struct {
	states   []record.LaneState
	models   []record.ModelState
	backlog  record.Backlog
	outcomes record.Outcomes
	err      error
}

func (r told) LaneStates(context.Context) ([]record.LaneState, error) { return r.states, r.err }

func (r told) Budgets(context.Context) ([]record.BudgetState, error) { return nil, r.err }

func (r told) Models(context.Context) ([]record.ModelState, error) { return r.models, r.err }

func (r told) Backlog(context.Context, time.Duration) (record.Backlog, error) {
	return r.backlog, r.err
}

func (r told) Outcomes(context.Context, time.Duration) (record.Outcomes, error) {
	return r.outcomes, r.err
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	measured := func(median, p95 time.Duration) doctor.Record {
		return told{outcomes: record.Outcomes{Runs: map[string]record.Runs{model: {Pictures: 42, Median: median, P95: p95}}}}
	}
	for name, tt := range map[string]struct {
		rpm, atOnce int
		record      doctor.Record
		want        want
	}{
		"enough, if nothing is known": {
			60, 25, nil, want{doctor.OK, "a", "25 at once is enough for 60 a minute at 20 s a picture, which is assumed, and 5 s for the rest", ""},
		},
		"too few, if nothing is known": {
			60, 20, told{}, want{doctor.Warning, "a", "20 at once make 48 of 60 pictures a minute at 20 s a picture, which is assumed, and 5 s for the rest; it takes 25", "Set WORKER_CONCURRENCY to 25"},
		},
		"too few, if the record is away": {
			600, 20, told{err: errors.New("away")}, want{doctor.Warning, "a", "20 at once make 48 of 600", "WORKER_CONCURRENCY to 250"},
		},
		"enough as measured": {
			60, 13, measured(8*time.Second, 30*time.Second), want{doctor.OK, "a", "13 at once is enough for 60 a minute at 8 s a picture (95 in 100 take up to 30 s; the latest 42), and 5 s for the rest", ""},
		},
		"too few as measured": {
			60, 20, measured(25*time.Second, 40*time.Second), want{doctor.Warning, "a", "20 at once make 40 of 60 pictures a minute at 25 s", "--max-concurrent-dispatches=45"},
		},
		"one is enough for little": {
			1, 1, nil, want{doctor.OK, "a", "1 at once is enough for 1 a minute", ""},
		},
		"pictures out of nowhere": {
			60, 5, measured(0, 0), want{doctor.OK, "a", "enough", ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := laneA()
			l.Quota.RPM, l.Quota.Concurrency = tt.rpm, tt.atOnce
			expect(t, examine(t, doctor.Concurrency([]doctor.LaneSettings{l}, tt.record)), tt.want)
		})
	}
}

func TestConcurrencyOfSeveralLanes(t *testing.T) {
	t.Parallel()
	a, b := laneA(), laneA()
	a.Quota.Concurrency = 25
	b.Quota.Name, b.Quota.Concurrency, b.Listed = "b", 2, true
	expect(t, examine(t, doctor.Concurrency([]doctor.LaneSettings{a, b}, nil)),
		want{doctor.OK, "a", "", ""}, want{doctor.Warning, "b", "", `Set "concurrency" of lane "b" in LANES to 25`})
}
