package dashboard

import (
	"cmp"
	"context"
	"math"
	"net/url"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// mostBudgets is how many budgets the overview shows.
const mostBudgets = 20

// A budgetsView is budgets as pages show them.
type budgetsView struct {
	Rows []budgetView
	Acts bool // whoever looks may raise them
	More int  // budgets that are not shown
}

// A budgetView is a budget in its period.
type budgetView struct {
	Scope           job.BudgetScope
	Name            string
	Used            string // spent and reserved, of how much
	Until           *moment
	Bar             bool    // there is a limit to draw against
	Percent         int     // of what is allowed is used; above 100 after a raise was undone
	Spent, Reserved float64 // where the bar of what is spent ends, and then that of what is used, in percent of the width
	Full            bool
	Why, Mend       string // in the words of doctor
	Path            string // of the form that raises it; empty if it is not set
}

// rank tells which budgets are shown where there are many, the highest first: that of the
// service, those of which there is something to say, and then those that are used most.
func (b budgetView) rank() int {
	switch {
	case b.Scope == job.ServiceBudget:
		return math.MaxInt
	case b.Why != "":
		return math.MaxInt - 1
	}
	return b.Percent
}

// first returns the budgets that the overview shows: all of a few, or else those with the
// highest rank.
func (v budgetsView) first() budgetsView {
	if len(v.Rows) <= mostBudgets {
		return v
	}
	rows := slices.Clone(v.Rows)
	slices.SortStableFunc(rows, func(a, b budgetView) int { return cmp.Compare(b.rank(), a.rank()) })
	v.Rows, v.More = rows[:mostBudgets], len(rows)-mostBudgets
	return v
}

// readBudgets returns the budgets as they are now. It reads nothing if none is set.
func (d *Dashboard) readBudgets(v *visit) (budgetsView, error) {
	if len(d.options.Budgets) == 0 {
		return budgetsView{}, nil
	}
	now := time.Now()
	all, err := d.budgetsNow(v.r.Context(), now)
	if err != nil {
		return budgetsView{}, err
	}
	view := budgetsView{Acts: v.who.Role.may(Admin)}
	for _, b := range all {
		view.Rows = append(view.Rows, viewBudget(b, now))
	}
	return view, nil
}

// budgetsNow returns the budgets in the periods that a time is in.
func (d *Dashboard) budgetsNow(ctx context.Context, now time.Time) ([]record.BudgetNow, error) {
	states, err := d.budgets.get(ctx, "", func(ctx context.Context) ([]record.BudgetState, error) {
		return orAway(d.options.Record.Budgets(ctx))
	})
	return record.BudgetsNow(d.options.Budgets, states, now), err
}

func viewBudget(b record.BudgetNow, now time.Time) budgetView {
	v := budgetView{Scope: b.Scope, Name: "The whole service", Full: b.Full()}
	if tenant := b.Scope.Tenant(); tenant != "" {
		v.Name = tenant
	}
	why, mend, _ := b.Explain()
	if v.Mend = mend; why != "" {
		v.Why = sentence(why)
	}
	if !b.Set {
		return v
	}
	v.Used, v.Until, v.Path = b.Used(), at(b.To, now), raisePath(b.Scope)
	if allowed := b.AllowedMicros(); !b.Lifted() && allowed > 0 {
		share := func(micros int64) float64 { return min(100, float64(micros*1000/allowed)/10) }
		v.Bar, v.Percent = true, int(b.UsedMicros()*100/allowed)
		v.Spent, v.Reserved = share(b.SpentMicros), share(b.UsedMicros())
	}
	return v
}

// raisePath returns where the form is that raises a budget.
func raisePath(scope job.BudgetScope) string {
	return Path + "/budgets/" + url.PathEscape(string(scope)) + "/raise"
}
