package record

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// A BudgetNow is a budget in the period that a time is in, or one that is not set any
// more and still holds images.
type BudgetNow struct {
	BudgetState

	Budget job.Budget // as it is set; zero if it is not
	Set    bool
}

// BudgetsNow returns the budgets that are set, and those that hold images, by scope.
// states are as Budgets returns them. A period that the setting had before its span or zone
// was changed is left out.
func BudgetsNow(set job.Budgets, states []BudgetState, at time.Time) []BudgetNow {
	now := make(map[job.BudgetScope]BudgetNow)
	for scope, b := range set {
		from, to := b.Period(at)
		now[scope] = BudgetNow{Budget: b, Set: true, BudgetState: BudgetState{Scope: scope, From: from, To: to, LimitMicros: b.LimitMicros}}
	}
	for _, s := range states {
		b := now[s.Scope]
		switch {
		case b.Set && s.From.Equal(b.From) && s.To.Equal(b.To):
			b.BudgetState = s
			b.LimitMicros = b.Budget.LimitMicros
		case !b.Set:
			b.Scope = s.Scope
		}
		b.Held = s.Held // of the scope, in each of its periods
		if b.Set || b.Held > 0 {
			now[s.Scope] = b
		}
	}
	return slices.SortedFunc(maps.Values(now), func(a, b BudgetNow) int { return cmp.Compare(a.Scope, b.Scope) })
}

// Period returns the period of a budget that is set.
func (b BudgetNow) Period() job.BudgetPeriod {
	return job.BudgetPeriod{Scope: b.Scope, From: b.From, To: b.To, LimitMicros: b.LimitMicros, Refuse: b.Budget.Refuse}
}

// Lifted reports whether the budget has no limit in this period.
func (b BudgetNow) Lifted() bool { return b.RaisedMicros >= LiftMicros }

// Full reports whether images wait for the budget, or everything is used.
func (b BudgetNow) Full() bool { return b.Set && (b.Held > 0 || b.UsedMicros() >= b.AllowedMicros()) }

// Explain returns why a budget holds images or is used up, and what mends that, in the
// words of doctor and the dashboard. Both are empty if it does neither. released tells
// that nobody has to do anything, since the next sweep does it.
func (b BudgetNow) Explain() (why, mend string, released bool) {
	const soon = "The next sweep releases what fits, within ten minutes."
	held := fmt.Sprintf("%d pictures wait for it", b.Held)
	if b.Held == 1 {
		held = "1 picture waits for it"
	}
	switch {
	case !b.Set && b.Held > 0:
		return "the budget is not set any more, and " + held, soon, true
	case !b.Set:
		return "", "", false
	case b.Held > 0 && b.UsedMicros() < b.AllowedMicros()/2:
		return "the budget has room: " + b.Used() + "; and " + held, soon, true
	case b.Full():
		return fmt.Sprintf("the budget has no room until %s: %s; %s", b.To.UTC().Format(time.RFC3339), b.Used(), held),
			"Wait, raise it for this period on the dashboard, or for good: " + b.setting() + ".", false
	}
	return "", "", false
}

// Used returns what is spent and reserved, of how much.
func (b BudgetNow) Used() string {
	of := job.USD(b.AllowedMicros())
	switch {
	case b.Lifted():
		of = "no limit"
	case b.RaisedMicros > 0:
		of += " (" + job.USD(b.LimitMicros) + ", and " + job.USD(b.RaisedMicros) + " by hand)"
	}
	return fmt.Sprintf("%s spent and %s reserved, of %s", job.USD(b.SpentMicros), job.USD(b.ReservedMicros), of)
}

// setting names the setting of the budget.
func (b BudgetNow) setting() string {
	if b.Scope == job.ServiceBudget {
		return "BUDGET (with terraform: budget)"
	}
	return "budget of " + b.Scope.Tenant() + " in TENANTS (with terraform: tenants)"
}
