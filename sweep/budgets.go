package sweep

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// settleAge is how long after the end of an image its worker may still tell what the
// last attempt was billed. It is above the time that a delivery may take.
const settleAge = 15 * time.Minute

// settle settles what images had reserved that ended without a word of their worker.
func (s *Sweeper) settle(ctx context.Context) (n int, more bool, err error) {
	n, err = s.Record.Settle(ctx, settleAge, page)
	return n, n == page, err
}

// A releasing is the part of one sweep that releases held images for which budgets have
// room again, or whose budget is not set any more. It parks them; a placing gives them
// lanes.
type releasing struct {
	*Sweeper

	full []job.BudgetScope // those that were found without room
}

// step looks at a page of held images, in the order of turns. Once a budget has no room
// for one, it releases no further one of that budget: what comes later must not overtake.
func (r *releasing) step(ctx context.Context) (n int, more bool, err error) {
	held, err := r.Record.Held(ctx, r.full, page)
	if err != nil {
		return 0, false, err
	}
	for _, img := range held {
		if slices.Contains(r.full, img.Scope) {
			continue
		}
		b := r.Budgets.Of(img.Tenant, r.clock())
		if r.blocks(b) && img.Scope != job.ServiceBudget {
			r.full = append(r.full, img.Scope)
			continue
		}
		err := r.Record.Release(ctx, img, b)
		full, beyond := errors.AsType[*record.BudgetError](err)
		switch {
		case err == nil:
			n++
		case beyond:
			if !slices.Contains(r.full, full.Scope) {
				r.full = append(r.full, full.Scope)
			}
		case !errors.Is(err, record.ErrNothingDue): // another sweep released it, or it has ended
			return n, false, err
		}
	}
	return n, len(held) > 0, nil
}

// blocks reports whether the service's budget, which is among b, has no room.
func (r *releasing) blocks(b record.Budgets) bool {
	return slices.Contains(r.full, job.ServiceBudget) &&
		slices.ContainsFunc(b.Periods, func(p job.BudgetPeriod) bool { return p.Scope == job.ServiceBudget })
}

// askForBudgets asks for a sweep at the time at which the next period of a budget
// begins: that releases what is held.
func (s *Sweeper) askForBudgets(ctx context.Context) error {
	var next time.Time
	for _, b := range s.Budgets.Budgets {
		if _, to := b.Period(s.clock()); next.IsZero() || to.Before(next) {
			next = to
		}
	}
	if next.IsZero() {
		return nil
	}
	return s.Producer.AskForSweepAt(ctx, next)
}
