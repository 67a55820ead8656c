package recordtest

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var budgetTests = []contractTest{
	{"hold what does not fit, and release it in order once there is room", budgetHold},
	{"refuse a job that does not fit, whole", budgetRefuse},
	{"settle what ends an image", budgetSettle},
	{"reserve again for an attempt that was billed, or hold the image", budgetAgain},
	{"keep a reservation of what is canceled at work until that is told of", budgetLate},
	{"settle in the period of the reservation", budgetPeriods},
	{"let nobody overtake what they hold", budgetOrder},
	{"let held images expire and be canceled", budgetEnd},
	{"forget periods of long ago", budgetRetire},
	{"hold at once what is created at once", budgetAtOnce},
	{"keep what they hold away from all lanes", budgetPlaces},
	{"show in an outlook what would be held", budgetOutlook},
}

const (
	price    = 100
	ofTenant = job.BudgetScope("tenant:" + tenant)
)

// within returns budgets of the tenant and the service with limits of so many pictures,
// 0 for none. They begin some days from today.
func within(mine, all int64, days int) record.Budgets {
	var b record.Budgets
	from := time.Date(2126, 1, 1+days, 0, 0, 0, 0, time.UTC)
	for _, l := range []struct {
		scope job.BudgetScope
		limit int64
	}{{job.ServiceBudget, all}, {ofTenant, mine}} {
		if l.limit > 0 {
			b.Periods = append(b.Periods, job.BudgetPeriod{Scope: l.scope, From: from, To: from.AddDate(0, 0, 1), LimitMicros: l.limit * price})
		}
	}
	return b
}

func budgeted(count int, b record.Budgets) record.Draft {
	d := submission(count)
	d.PriceMicros, d.Budgets = price, b
	return d
}

// wantBudget checks what is reserved, spent and held of a budget's first period.
func (f *fixture) wantBudget(scope job.BudgetScope, reserved, spent int64, held int) {
	f.Helper()
	for _, s := range f.budgets() {
		if s.Scope == scope {
			f.wantEqual("reserved, spent, held of "+string(scope), []int64{s.ReservedMicros, s.SpentMicros, int64(s.Held)},
				[]int64{reserved, spent, int64(held)})
			return
		}
	}
	f.Fatalf("there is no budget %s", scope)
}

func (f *fixture) budgets() []record.BudgetState {
	f.Helper()
	states, err := f.record.Budgets(f.ctx)
	if err != nil {
		f.Fatalf("Budgets: %v", err)
	}
	return states
}

func (f *fixture) held(except ...job.BudgetScope) []record.HeldImage {
	f.Helper()
	held, err := f.record.Held(f.ctx, except, plenty)
	if err != nil {
		f.Fatalf("Held: %v", err)
	}
	return held
}

// release releases the first image that is held.
func (f *fixture) release(b record.Budgets) error {
	f.Helper()
	held := f.held()
	if len(held) == 0 {
		f.Fatal("nothing is held")
	}
	return f.record.Release(f.ctx, held[0], b)
}

func budgetHold(f *fixture) {
	b := within(2, 0, 0)
	d := budgeted(3, b)
	tasks := f.submit(d)
	f.wantEqual("how many tasks there are", len(tasks), 2)
	j := f.get(d.ID)
	f.wantEqual("who holds the images", []job.BudgetScope{j.Images[0].HeldBy, j.Images[1].HeldBy, j.Images[2].HeldBy},
		[]job.BudgetScope{"", "", ofTenant})
	f.wantEqual("what is reserved for the first", j.Images[0].ReservedMicros, int64(price))
	f.wantBudget(ofTenant, 2*price, 0, 1)
	f.wantEqual("what is held", f.held(), []record.HeldImage{{JobID: d.ID, Index: 2, Tenant: tenant, Scope: ofTenant}})
	f.wantEqual("what is held by others", len(f.held(ofTenant)), 0)
	f.wantErr(f.release(b), record.ErrBudget)
	f.wantEqual("what is queued for a slot", f.backlog(never).Waiting, 3)
	f.wantEqual("what is held for a slot", f.backlog(never).Held, 1)

	f.succeed(bill(f.claim(tasks[0], never), price-1)) // cheaper, but not by enough
	f.fail(f.claim(tasks[1], never))                   // it was not billed
	f.wantErr(f.release(b), nil)
	f.wantBudget(ofTenant, price, price-1, 0)
	f.wantErr(f.record.Release(f.ctx, record.HeldImage{JobID: d.ID, Index: 2}, b), record.ErrNothingDue)
	got := f.get(d.ID).Images[2]
	f.wantEqual("whether it is parked then, and held", []any{got.Parked, got.HeldBy}, []any{true, job.BudgetScope("")})
	next, err := f.record.Unpark(f.ctx, model, []record.Place{at(lane), at(lane)})
	f.wantErr(err, nil)
	f.wantEqual("how many are unparked", len(next), 1)
	f.succeed(bill(f.claim(next[0], never), price))
	f.wantBudget(ofTenant, 0, 2*price-1, 0)
}

func budgetRefuse(f *fixture) {
	b := within(2, 5, 0)
	b.Periods[1].Refuse = true
	d := budgeted(3, b)
	_, byKey := f.record.Recorded(f.ctx, d)
	_, _, err := f.record.Create(f.ctx, d)
	_, looked := f.record.Outlook(f.ctx, d)
	for _, err := range []error{byKey, err, looked} {
		full, _ := errors.AsType[*record.BudgetError](err)
		f.wantEqual("which budget refuses", full, &record.BudgetError{Scope: ofTenant})
	}
	_, err = f.record.Get(f.ctx, d.ID)
	f.wantErr(err, record.ErrNotFound)
	f.submit(budgeted(2, b))
	f.wantBudget(job.ServiceBudget, 2*price, 0, 0)
}

func budgetSettle(f *fixture) {
	b := within(9, 9, 0)
	f.succeed(bill(f.claim(f.submit(budgeted(1, b))[0], never), 60))
	f.wantBudget(ofTenant, 0, 60, 0)
	c := bill(f.claim(f.submit(budgeted(1, b))[0], never), 30)
	f.fail(c)
	f.fail(c)
	f.wantBudget(ofTenant, 0, 90, 0)
	f.cancel(f.submit(budgeted(2, b))[0].JobID)
	f.wantBudget(ofTenant, 0, 90, 0)
	f.wantBudget(job.ServiceBudget, 0, 90, 0)
}

func budgetAgain(f *fixture) {
	b := within(2, 0, 0)
	c := f.claim(f.submit(budgeted(1, b))[0], never)
	again := record.Requeue{Lane: lane, PriceMicros: price, Budgets: b}
	_, next := f.requeue(c, again) // it was not billed
	f.wantBudget(ofTenant, price, 0, 0)

	c = bill(f.claim(next, never), price)
	for range 2 {
		_, next = f.requeue(c, again)
		f.wantBudget(ofTenant, price, price, 0)
	}
	c = bill(f.claim(next, never), 1)
	for range 2 {
		j, none := f.requeue(c, again)
		f.wantEqual("the task of what is held", none, job.Task{})
		f.wantEqual("who holds it", j.Images[0].HeldBy, ofTenant)
		f.wantBudget(ofTenant, 0, price+1, 1)
	}
	f.noClaim(next, record.ErrNothingDue)

	c = f.claim(f.create(1)[0], never) // nothing is reserved for it
	j, _ := f.requeue(c, record.Requeue{Lane: lane, PriceMicros: price, Budgets: within(9, 0, 1)})
	f.wantEqual("what is reserved for it then", j.Images[0].ReservedMicros, int64(price))
}

func budgetLate(f *fixture) {
	b := within(2, 0, 0)
	c := asked(f.claim(f.submit(budgeted(1, b))[0], never))
	c.Report.Bill.BoundMicros = 40
	f.cancel(c.Job.ID)
	f.wantBudget(ofTenant, price, 0, 0)
	for range 2 {
		f.noteAttempt(c, false)
		f.wantBudget(ofTenant, 0, 40, 0)
	}
	c = f.claim(f.submit(budgeted(1, b))[0], never)
	f.cancel(c.Job.ID)
	f.noteAttempt(c, false) // no request was sent
	f.wantBudget(ofTenant, 0, 40, 0)
	c = f.claim(f.submit(budgeted(1, b))[0], never)
	f.cancel(c.Job.ID) // and nobody tells
	for _, want := range []int{1, 0} {
		n, err := f.record.Settle(f.ctx, 0, plenty)
		f.wantErr(err, nil)
		f.wantEqual("how many are settled", n, want)
	}
	f.wantBudget(ofTenant, 0, 40, 0)

	c = asked(f.claim(f.submit(budgeted(1, b))[0], gone)) // a worker that loses its lease
	c.Report.Bill.BoundMicros = 30
	f.reap(gone, plenty)
	f.noteAttempt(c, false)
	f.wantBudget(ofTenant, price-30, 70, 0)
	f.wantEqual("what is left for the next attempt", f.get(c.Job.ID).Images[0].ReservedMicros, int64(price-30))
}

func budgetPeriods(f *fixture) {
	c := bill(f.claim(f.submit(budgeted(1, within(1, 0, 0)))[0], never), 70)
	_, next := f.requeue(c, record.Requeue{Lane: lane, PriceMicros: price, Budgets: within(1, 0, 1)})
	f.succeed(bill(f.claim(next, never), 80))
	states := f.budgets()
	f.wantEqual("spent of each day", []int64{states[0].SpentMicros, states[1].SpentMicros}, []int64{70, 80})
	f.wantEqual("reserved of each day", []int64{states[0].ReservedMicros, states[1].ReservedMicros}, []int64{0, 0})
}

func budgetOrder(f *fixture) {
	b := within(1, 0, 0)
	large := budgeted(1, b)
	large.PriceMicros = price + 1
	f.submit(large)
	small := budgeted(1, b) // it would fit
	f.wantEqual("tasks of what comes later", len(f.submit(small)), 0)
	f.wantEqual("which is the first", f.held()[0].JobID, large.ID)
	f.wantErr(f.release(within(0, 1, 0)), record.ErrBudget) // the tenant's budget is gone
	f.wantEqual("who holds it now", f.get(large.ID).Images[0].HeldBy, job.ServiceBudget)
	f.wantErr(f.record.Release(f.ctx, record.HeldImage{JobID: small.ID}, record.Budgets{}), nil) // no budget is set any more
	f.wantEqual("what waits for nothing", f.get(small.ID).Images[0].Parked, true)
}

func budgetEnd(f *fixture) {
	d := budgeted(2, within(1, 0, 0))
	f.submit(d)
	j := f.cancel(d.ID)
	f.wantEqual("who holds what was canceled", j.Images[1].HeldBy, job.BudgetScope(""))
	late := budgeted(2, within(1, 0, 0))
	late.ExpiresIn = 0
	f.submit(late)
	f.expire(plenty)
	f.wantEqual("what became of what was held", f.get(late.ID).Images[1].Status, job.StatusFailed)
	f.wantBudget(ofTenant, 0, 0, 0)
	f.wantEqual("what waits", f.backlog(never).Waiting, 0)
}

func budgetAtOnce(f *fixture) {
	b := within(7, 100, 0)
	var tasks atomic.Int64
	runTogether(func(int) {
		for range 3 {
			_, got, err := f.record.Create(f.ctx, budgeted(1, b))
			if err != nil {
				f.Errorf("Create: %v", err)
			}
			tasks.Add(int64(len(got)))
		}
	})
	f.wantEqual("how many have a task", tasks.Load(), int64(7))
	f.wantBudget(ofTenant, 7*price, 0, 3*deliverers-7)
	f.wantBudget(job.ServiceBudget, 7*price, 0, 0)
}

func budgetOutlook(f *fixture) {
	d := budgeted(3, within(2, 0, 0))
	out, err := f.record.Outlook(f.ctx, d)
	f.wantErr(err, nil)
	f.wantEqual("what would be held, by whom", []any{out.Held, out.HeldBy}, []any{1, ofTenant})
	f.wantEqual("how many go before the last that would have a task", *out.LastAhead, 1)
	f.submit(d)
	d.ID = newID()
	out, err = f.record.Outlook(f.ctx, d)
	f.wantErr(err, nil)
	f.wantEqual("all would be held", out, record.Outlook{Held: 3, HeldBy: ofTenant})
	f.wantBudget(ofTenant, 2*price, 0, 1)
}

// longAgo is some day of 2023, from that on which within begins.
const longAgo = -37_400

func budgetRetire(f *fixture) {
	c := bill(f.claim(f.submit(budgeted(1, within(1, 0, longAgo)))[0], never), price)
	f.submit(budgeted(1, within(1, 0, 0)))
	for _, want := range []int{1, 0} {
		n, err := f.record.RetireBudgets(f.ctx, plenty)
		f.wantErr(err, nil)
		f.wantEqual("how many are removed", n, want)
	}
	f.succeed(c) // settles nothing that is there
	f.wantBudget(ofTenant, price, 0, 0)
}

func budgetPlaces(f *fixture) {
	d := budgeted(2, within(1, 0, 40))
	f.submit(d)
	in := f.inspection(d.ID)
	f.wantEqual("where the images are", []string{in.Places[0].Lane, in.Places[1].Lane}, []string{lane, ""})
	for _, w := range f.activity().Waits {
		f.wantEqual("the lane that something waits for", w.Lane, lane)
	}
	onHeld := record.SearchQuery{ID: d.ID, Lane: "(held)", Limit: plenty} // as the database calls it
	page, err := f.record.Search(f.ctx, onHeld)
	f.wantErr(err, nil)
	met, err := f.record.MeasureBulk(f.ctx, onHeld)
	f.wantErr(err, nil)
	f.wantEqual("the jobs that a search and a bulk find there", []int{len(page.Jobs), met.Jobs}, []int{0, 0})
}
