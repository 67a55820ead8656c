package recordtest

import (
	"fmt"

	"github.com/ai-worker/ai-worker/record"
)

var budgetLevelTests = []contractTest{
	{"are told once", budgetLevels},
	{"are reached by a budget that is full, although pictures do not fill it to the last cent", budgetFull},
}

func budgetLevels(f *fixture) {
	var told []int
	b := within(10, 0, 0)
	b.Crossed = func(s record.BudgetState) { told = append(told, s.Level) }
	for _, tt := range []struct {
		pictures int
		want     []int
	}{{4, nil}, {1, []int{50}}, {2, nil}, {3, []int{100}}, {1, nil}} {
		told = nil
		f.submit(budgeted(tt.pictures, b))
		f.wantEqual("the levels that are told", told, tt.want)
	}
	told = nil
	b.Periods[0].LimitMicros *= 2 // to 20, of which 10 are used: what was told stays told
	f.wantErr(f.release(b), nil)
	f.wantEqual("what is told of a raised limit", told, []int(nil))
	f.submit(budgeted(6, b))
	f.wantEqual("what is told above that", told, []int{80})
}

func budgetFull(f *fixture) {
	var told []string
	budget := func(days int, refuse bool) record.Budgets {
		b := within(2, 0, days)
		b.Periods[0].LimitMicros += price / 2 // pictures do not fill it
		b.Periods[0].Refuse = refuse
		b.Crossed = func(s record.BudgetState) {
			told = append(told, fmt.Sprint(s.Level, "% ", s.ReservedMicros+s.SpentMicros))
		}
		return b
	}
	wantTold := func(what string, want ...string) {
		f.Helper()
		f.wantEqual("what is told once "+what, told, want)
		told = nil
	}
	hold := budget(0, false)
	f.submit(budgeted(3, hold))
	wantTold("one is held", "100% 200")
	f.wantErr(f.release(hold), record.ErrBudget)
	wantTold("it finds no room again")

	refuse := budget(1, true)
	f.cancel(f.held()[0].JobID)
	_, _, err := f.record.Create(f.ctx, budgeted(3, refuse))
	f.wantErr(err, record.ErrBudget)
	wantTold("a job is too large")
	tasks := f.submit(budgeted(2, refuse))
	wantTold("two are reserved", "80% 200")
	for range 2 {
		_, _, err = f.record.Create(f.ctx, budgeted(1, refuse))
		f.wantErr(err, record.ErrBudget)
	}
	wantTold("one is refused", "100% 200")

	again := budget(2, false)
	c := bill(f.claim(tasks[0], never), 1)
	f.submit(budgeted(2, again))
	wantTold("two of the next day are reserved", "80% 200")
	f.requeue(c, record.Requeue{Lane: lane, PriceMicros: price, Budgets: again})
	wantTold("an attempt finds no room", "100% 200")
}
