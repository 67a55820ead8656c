package handlers

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
)

// budgetExceeded is the code of refusals for a budget. It is part of the API.
const budgetExceeded = "budget_exceeded"

// A codedProblem is a problem with a code for programs.
type codedProblem struct {
	*huma.ErrorModel

	Code string `json:"code"`
}

// overBudget returns what a caller is told whose job a budget has no room for. What the
// service spends is no business of one tenant's.
func overBudget(e *enqueue.BudgetError) error {
	period := fmt.Sprintf("the %s (%s)", e.Budget.Per, e.Budget.Zone)
	setting, whose := "budget in TENANTS", fmt.Sprintf("the budget of this API key, %s for %s,", job.USD(e.Budget.LimitMicros), period)
	if e.Scope == job.ServiceBudget {
		setting, whose = "BUDGET", "the budget of this service for "+period
	}
	model := &huma.ErrorModel{Status: http.StatusPaymentRequired}
	var err error = codedProblem{model, budgetExceeded}
	if e.NeverPasses {
		model.Detail = fmt.Sprintf("The job is refused: %s is too small for %s, what it would cost by list price. "+
			"Ask for less, or ask whoever runs this service to allow more (%s).", whose, job.USD(e.CostMicros), setting)
	} else {
		model.Status = http.StatusTooManyRequests
		model.Detail = fmt.Sprintf("The job is refused: %s has no room for %s, what it would cost by list price. "+
			"Send it again after %s, when the next %s begins, ask for less, or ask whoever runs this service to allow more (%s).",
			whose, job.USD(e.CostMicros), e.NextAt.Format(time.RFC3339), e.Budget.Per, setting)
		seconds := max(1, int(math.Ceil(time.Until(e.NextAt).Seconds())))
		err = huma.ErrorWithHeaders(err, http.Header{"Retry-After": {strconv.Itoa(seconds)}})
	}
	model.Title = http.StatusText(model.Status)
	return err
}
