package webhook

import (
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// A budgetData is what is told of a budget. Money is in US dollars.
type budgetData struct {
	Scope       string    `json:"scope"`            // service or tenant
	Tenant      string    `json:"tenant,omitempty"` // whose budget it is, unless the service's
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	LimitUSD    float64   `json:"limit_usd"`
	RaisedUSD   float64   `json:"raised_usd"` // what an operator added to the limit
	SpentUSD    float64   `json:"spent_usd"`
	ReservedUSD float64   `json:"reserved_usd"`
	Percent     int       `json:"percent"`
	At          time.Time `json:"at"`
}

// tellBudget returns what is told of a budget that reached a level at a time.
func tellBudget(b job.BudgetReached, at time.Time) budgetData {
	scope := "service"
	if b.Scope != job.ServiceBudget {
		scope = "tenant"
	}
	usd := func(micros int64) float64 { return float64(micros) / 1e6 }
	return budgetData{
		Scope: scope, Tenant: b.Scope.Tenant(), From: b.From.UTC(), To: b.To.UTC(), LimitUSD: usd(b.LimitMicros), RaisedUSD: usd(b.RaisedMicros),
		SpentUSD: usd(b.SpentMicros), ReservedUSD: usd(b.ReservedMicros), Percent: b.Percent, At: at,
	}
}
