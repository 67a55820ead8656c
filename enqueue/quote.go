package enqueue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// A CostError means that a job of its tenant may not cost as much.
type CostError struct {
	PriceMicros int64 // list price of one picture in millionths of a US dollar, 0 if it is not known
	Count       int   // pictures
	LimitMicros int64 // the most that a job may cost, likewise
}

// Error returns what the job would cost, and what it may.
func (e *CostError) Error() string {
	return fmt.Sprintf("enqueue: %d pictures for %s each cost more than %s", e.Count, job.USD(e.PriceMicros), job.USD(e.LimitMicros))
}

// checkCost returns a *CostError if the tenant may not spend as much on one job,
// or if nobody knows how much that is.
func (s Submission) checkCost() error {
	limit := s.Input.CostLimitMicros
	if limit > 0 && (s.PriceMicros == 0 || s.PriceMicros*int64(s.Input.Count) > limit) {
		return &CostError{PriceMicros: s.PriceMicros, Count: s.Input.Count, LimitMicros: limit}
	}
	return nil
}

// A Quote is what a submission would meet.
type Quote struct {
	Outlook record.Outlook
	// Run is how long a picture of the model typically takes, 0 if that is not
	// known.
	Run time.Duration
}

// Quote returns what a submission would meet if it was submitted now, and records
// and stores nothing. It fails as Submit would, but not for an idempotency key: it
// does not go by that.
func (p *Producer) Quote(ctx context.Context, s Submission) (Quote, error) {
	draft, err := p.draft(ctx, s)
	if err != nil {
		return Quote{}, err
	}
	for _, u := range s.Uploads {
		if u.ID == "" {
			continue
		}
		if err := p.inputs.CheckUpload(ctx, s.Tenant, u.ID); err != nil {
			return Quote{}, &InputError{Position: u.Position, err: err}
		}
	}
	outlook, err := p.record.Outlook(ctx, draft)
	if err != nil {
		return Quote{}, p.explain(draft, err)
	}
	return Quote{Outlook: outlook, Run: p.runs.of(ctx, p.record, draft.DrawnBy())}, nil
}

// runsAge is how long the measured times of pictures are good for.
const runsAge = time.Minute

// typical is how long pictures take. It is asked of the record once in a while,
// whether the record can tell or not: that looks through a thousand jobs.
type typical struct {
	mu    sync.Mutex
	known map[string]record.Runs // by model
	asked time.Time
}

// of returns the median for a model, 0 if it is not known.
func (t *typical) of(ctx context.Context, r record.Reporter, model string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); now.Sub(t.asked) >= runsAge {
		t.asked = now
		// Others wait for it too. It is an estimate, and the rest of the quote is
		// known without it.
		if out, err := r.Outcomes(context.WithoutCancel(ctx), record.RunsSince); err == nil {
			t.known = out.Runs
		}
	}
	return t.known[model].Median
}
