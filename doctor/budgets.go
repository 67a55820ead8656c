package doctor

import (
	"fmt"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// budgets returns which budgets have no room, and what is held that need not be.
func (w Work) budgets(states []record.BudgetState) []Finding {
	var findings []Finding
	for _, s := range states {
		set, known := w.Budgets[s.Scope]
		switch {
		case !known && s.Held > 0:
			findings = append(findings, warning("The next sweep releases them, within ten minutes; now: "+w.sweep(),
				"%s for the budget, which is not set any more", waiting(s.Held)).on(string(s.Scope)))
		case !known:
		case s.Held > 0 && s.SpentMicros+s.ReservedMicros < set.LimitMicros/2:
			findings = append(findings, warning("The next sweep releases what fits, within ten minutes; now: "+w.sweep(),
				"%s for the budget, which has room: %s", waiting(s.Held), used(s, set)).on(string(s.Scope)))
		case s.Held > 0 || s.SpentMicros+s.ReservedMicros >= set.LimitMicros:
			findings = append(findings, warning("Wait, or raise it: "+where(s.Scope)+" (with terraform: "+variable(s.Scope)+").",
				"the budget has no room until %s: %s; %s for it", s.To.Format(time.RFC3339), used(s, set), waiting(s.Held)).on(string(s.Scope)))
		}
	}
	return findings
}

func used(s record.BudgetState, b job.Budget) string {
	return fmt.Sprintf("%s spent and %s reserved, of %s", job.USD(s.SpentMicros), job.USD(s.ReservedMicros), job.USD(b.LimitMicros))
}

// where returns the setting of a budget.
func where(scope job.BudgetScope) string {
	if scope == job.ServiceBudget {
		return "BUDGET"
	}
	return "budget of " + scope.Tenant() + " in TENANTS"
}

// variable returns the variable of Terraform that is that setting.
func variable(scope job.BudgetScope) string {
	if scope == job.ServiceBudget {
		return "budget"
	}
	return "tenants"
}
