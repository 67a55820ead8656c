package recordtest

import (
	"errors"
	"sync/atomic"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var budgetRaiseTests = []contractTest{
	{"are raised by an operator, up to no limit, and lowered again", budgetRaise},
	{"are raised once if two do so at once, and not after their end", budgetRaiseGuard},
}

// raise sets what is added to the first of the periods.
func (f *fixture) raise(b record.Budgets, was, micros int64) error {
	f.Helper()
	return f.record.RaiseBudget(f.ctx, record.BudgetRaise{Period: b.Periods[0], WasMicros: was, Micros: micros}, f.act(record.ActionRaiseBudget))
}

func budgetRaise(f *fixture) {
	b := within(2, 0, 0)
	f.wantErr(f.raise(b, 0, price), nil) // before anything was reserved
	f.wantEqual("what waits for a slot of the first job", len(f.submit(budgeted(4, b))), 3)
	f.wantErr(f.release(b), record.ErrBudget)
	f.wantErr(f.raise(b, price, 2*price), nil)
	f.wantErr(f.release(b), nil)
	f.wantBudget(ofTenant, 4*price, 0, 0)

	f.wantErr(f.raise(b, 2*price, record.LiftMicros), nil)
	out, err := f.record.Outlook(f.ctx, budgeted(9, b))
	f.wantErr(err, nil)
	f.wantEqual("what would be held without a limit", out.Held, 0)
	tasks := f.submit(budgeted(9, b))
	f.wantEqual("what has room without a limit", len(tasks), 9)

	f.wantErr(f.raise(b, record.LiftMicros, 0), nil)
	f.wantBudget(ofTenant, 13*price, 0, 0) // nothing is taken back
	f.wantEqual("what has room then", len(f.submit(budgeted(1, b))), 0)
	c := bill(f.claim(tasks[0], never), price)
	held, _ := f.requeue(c, record.Requeue{Lane: lane, PriceMicros: price, Budgets: b})
	f.wantEqual("who holds an attempt that was billed", held.Images[c.Index].HeldBy, ofTenant)

	entries := f.audit(record.AuditQuery{Target: string(ofTenant), Limit: plenty}).Entries
	f.wantEqual("the acts", len(entries), 4)
	f.wantEqual("the last one", entries[0].Act, f.act(record.ActionRaiseBudget))
	f.wantEqual("what it did", entries[0].Detail, map[string]string{"added": job.USD(0), "before": "no limit", "until": "2126-01-02T00:00:00Z"})
}

func budgetRaiseGuard(f *fixture) {
	b := within(2, 0, 0)
	f.wantErr(f.raise(b, price, 2*price), record.ErrBudgetChanged) // nothing was added
	var raised atomic.Int64
	runTogether(func(int) {
		switch err := f.raise(b, 0, price); {
		case err == nil:
			raised.Add(1)
		case !errors.Is(err, record.ErrBudgetChanged):
			f.Errorf("RaiseBudget: %v", err)
		}
	})
	f.wantEqual("how many raised it", raised.Load(), int64(1))
	f.wantEqual("what is in the audit", len(f.audit(record.AuditQuery{Target: string(ofTenant), Limit: plenty}).Entries), 1)
	f.wantErr(f.raise(within(2, 0, longAgo), 0, price), record.ErrBudgetChanged)
	f.wantEqual("what is added", f.budgets()[0].RaisedMicros, int64(price))
}
