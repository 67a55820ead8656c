package doctor

import (
	"time"

	"github.com/ai-worker/ai-worker/record"
)

// budgets returns which budgets have no room, and what is held that need not be.
func (w Work) budgets(states []record.BudgetState) []Finding {
	var findings []Finding
	for _, b := range record.BudgetsNow(w.Budgets, states, time.Now()) {
		why, mend, released := b.Explain()
		if why == "" {
			continue
		}
		if released {
			mend += " Now: " + w.sweep()
		}
		findings = append(findings, warning(mend, "%s", why).on(string(b.Scope)))
	}
	return findings
}
