package worker

import (
	"errors"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// errUncovered means that budgets have not reserved as much for the attempt as it may
// cost: the image was recorded by a version of before budgets, or before one was set,
// is drawn by a dearer model now, or an attempt that was lost has used that up.
var errUncovered = errors.New("worker: what is reserved does not cover the attempt")

// price returns the list price of one attempt, in millionths of a US dollar, 0 if it is
// not known.
func (a *attempt) price() int64 { return a.lane.model.Price(a.claim.Job.Input.ImageSize) }

// budgetsNow returns the budgets that the image counts against.
func (a *attempt) budgetsNow() record.Budgets {
	return a.worker.budgets.Of(a.claim.Job.Tenant, time.Now())
}

// checkBudget fails with errUncovered, or for good if budgets are set and nobody knows
// what the attempt may cost.
func (a *attempt) checkBudget() error {
	price := a.price()
	switch {
	case len(a.budgetsNow().Periods) == 0:
		return nil
	case price == 0:
		return &job.Failure{Remedy: job.RemedyFail, Public: job.Error{
			Code:    job.CodeMaxCostExceeded,
			Message: "There is a budget, and the price of the model that draws the picture now is not known.",
		}}
	case a.claim.Image().ReservedMicros < price:
		return errUncovered
	}
	return nil
}
