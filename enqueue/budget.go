package enqueue

import (
	"errors"
	"fmt"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// ErrNoPrice means that a tenant with a budget asks for pictures whose price is not
// known.
var ErrNoPrice = errors.New("enqueue: a budget is set, and the price of the model is not known")

// A BudgetError is record.ErrBudget with what is known of the budget.
type BudgetError struct {
	Scope       job.BudgetScope
	Budget      job.Budget
	CostMicros  int64     // of what does not fit, by list price, in millionths of a US dollar
	NextAt      time.Time // when the next period begins
	NeverPasses bool      // it does not fit the next period either
}

// Error returns whose budget has no room, and for how much.
func (e *BudgetError) Error() string {
	return fmt.Sprintf("%v: %s for %s", record.ErrBudget, e.Scope, job.USD(e.CostMicros))
}

// Unwrap returns record.ErrBudget.
func (e *BudgetError) Unwrap() error { return record.ErrBudget }

// checkBudgets fails with ErrNoPrice, or with a *BudgetError if a picture costs more
// than a whole period allows: it would be held for ever.
func (p *Producer) checkBudgets(d record.Draft) error {
	for _, b := range d.Budgets.Periods {
		switch {
		case d.PriceMicros == 0:
			return ErrNoPrice
		case !b.Refuse && d.PriceMicros > b.LimitMicros:
			return p.beyond(d, b.Scope, d.PriceMicros)
		}
	}
	return nil
}

// beyond returns the error for what does not fit the budget of a scope.
func (p *Producer) beyond(d record.Draft, scope job.BudgetScope, cost int64) error {
	e := &BudgetError{Scope: scope, Budget: p.budgets.Budgets[scope], CostMicros: cost}
	for _, b := range d.Budgets.Periods {
		if b.Scope == scope {
			e.NextAt, e.NeverPasses = b.To, cost > b.LimitMicros
		}
	}
	return e
}
