package recordtest

import (
	"cmp"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var budgetWebhookTests = []contractTest{
	{"are recorded of each level that is told, of what is told", budgetWebhookLevels},
	{"are recorded by whatever reserves", budgetWebhookReservations},
	{"are recorded by a budget that refuses", budgetWebhookRefuses},
	{"are not recorded unless that is asked for", budgetWebhookUnasked},
	{"are recorded once, as long as the same is allowed", budgetWebhookOnce},
	{"are pending until they are on the queue", budgetWebhookPending},
	{"note each try once", budgetWebhookTry},
	{"do not become gone together", budgetWebhookGone},
	{"are found when they were not sent, and when their time is long past", budgetWebhookUnsent},
	{"are neither listed nor replayed", budgetWebhookReplay},
	{"go with their period", budgetWebhookRetire},
}

// telling returns budgets whose levels are told by webhook, and to told.
func telling(b record.Budgets, told *[]record.BudgetState) record.Budgets {
	b.Webhooks, b.Crossed = true, func(s record.BudgetState) { *told = append(*told, s) }
	return b
}

// budgetWebhooks returns the webhooks of budgets that are pending, by limit and level.
func (f *fixture) budgetWebhooks() (hooks []job.Webhook) {
	f.Helper()
	due, err := f.record.PendingWebhooks(f.ctx, "")
	f.wantErr(err, nil)
	for _, d := range due {
		w, j, found, err := f.record.Webhook(f.ctx, "", d.Task.WebhookID)
		if err != nil || !found {
			f.Fatalf("Webhook: found %t, %v", found, err)
		}
		f.wantEqual("its job", j, job.Job{})
		f.wantEqual("the task", d, record.WebhookDue{Task: w.Task(), At: w.NextAt})
		hooks = append(hooks, w)
	}
	slices.SortFunc(hooks, func(v, w job.Webhook) int {
		return cmp.Or(cmp.Compare(v.Budget.LimitMicros, w.Budget.LimitMicros), cmp.Compare(v.Budget.Percent, w.Budget.Percent))
	})
	return hooks
}

// reached makes the tenant's budget of so many pictures reach its last level, and
// returns the webhook of that.
func (f *fixture) reached(day int) job.Webhook {
	f.Helper()
	b := within(1, 0, day)
	b.Webhooks = true
	f.submit(budgeted(1, b))
	hooks := f.budgetWebhooks()
	if len(hooks) == 0 {
		f.Fatal("no webhook is recorded")
	}
	for _, w := range hooks {
		if w.Budget.From.Equal(b.Periods[0].From) {
			return w
		}
	}
	f.Fatalf("no webhook is of day %d: %+v", day, hooks)
	return job.Webhook{}
}

func budgetWebhookLevels(f *fixture) {
	var told []record.BudgetState
	b := telling(within(10, 0, 0), &told)
	f.submit(budgeted(4, b))
	f.wantEqual("below the first level", len(f.budgetWebhooks()), 0)
	f.submit(budgeted(1, b))
	f.submit(budgeted(4, b))
	f.submit(budgeted(1, b))
	hooks := f.budgetWebhooks()
	f.wantEqual("how many there are", len(hooks), 3)
	for i, w := range hooks {
		reached := told[i].Reached()
		f.wantEqual("what it tells", w.Budget, &reached)
		want := job.Webhook{
			ID: job.BudgetWebhookID(reached), Event: job.WebhookBudgetThreshold, At: w.At, Budget: &reached,
			State: job.WebhookWaiting, NextAt: w.At,
		}
		f.wantEqual("the webhook", w, want)
	}
	f.wantEqual("the first", *hooks[0].Budget, job.BudgetReached{
		Scope: ofTenant, From: b.Periods[0].From, To: b.Periods[0].To, LimitMicros: 10 * price, ReservedMicros: 5 * price, Percent: 50,
	})
}

// A release and an attempt that is made again reserve too.
func budgetWebhookReservations(f *fixture) {
	b := within(3, 0, 0)
	tasks := f.submit(budgeted(1, b))
	b.Webhooks = true
	c := bill(f.claim(tasks[0], never), price)
	_, next, err := f.record.Requeue(f.ctx, c, record.Requeue{Lane: lane, PriceMicros: price, Budgets: b})
	f.wantErr(err, nil)
	hooks := f.budgetWebhooks()
	f.wantEqual("of a requeue", []any{len(hooks), hooks[0].Budget.Percent, hooks[0].Budget.SpentMicros}, []any{1, 50, int64(price)})

	quiet := b
	quiet.Webhooks = false
	f.submit(budgeted(2, quiet)) // one is held
	f.fail(f.claim(next, never))
	higher := within(5, 0, 0) // all levels are above what is used
	higher.Webhooks = true
	f.wantErr(f.release(higher), nil)
	hooks = f.budgetWebhooks()
	last := hooks[len(hooks)-1].Budget
	f.wantEqual("of a release", []any{len(hooks), last.Percent, last.LimitMicros}, []any{2, 50, int64(5 * price)})
}

func budgetWebhookRefuses(f *fixture) {
	b := within(1, 0, 0)
	b.Periods[0].Refuse = true
	f.submit(budgeted(1, within(1, 0, 0)))
	more := within(2, 0, 0)
	more.Periods[0].LimitMicros = price + price/2 // no room for another picture, and not all is used
	more.Periods[0].Refuse, more.Webhooks = true, true
	_, _, err := f.record.Create(f.ctx, budgeted(1, more))
	f.wantErr(err, record.ErrBudget)
	hooks := f.budgetWebhooks()
	f.wantEqual("how many there are", len(hooks), 1)
	f.wantEqual("its level", hooks[0].Budget.Percent, 100)
}

func budgetWebhookUnasked(f *fixture) {
	f.submit(budgeted(2, within(1, 0, 0)))
	f.wantEqual("what is recorded", len(f.budgetWebhooks()), 0)
}

func budgetWebhookOnce(f *fixture) {
	w := f.reached(0)
	state := f.budgets()[0]
	raise := func(was, micros int64) {
		p := job.BudgetPeriod{Scope: state.Scope, From: state.From, To: state.To, LimitMicros: state.LimitMicros}
		f.wantErr(f.record.RaiseBudget(f.ctx, record.BudgetRaise{Period: p, WasMicros: was, Micros: micros}, record.Act{Reason: "r"}), nil)
	}
	b := within(1, 0, 0)
	b.Webhooks = true
	raise(0, 10*price)
	raise(10*price, 0)
	f.submit(budgeted(1, b)) // it is held, and the level is told again
	f.wantEqual("as long as the same is allowed", f.budgetWebhooks(), []job.Webhook{w})
	raise(0, price)
	f.wantErr(f.release(b), nil)
	f.wantEqual("once more is allowed", len(f.budgetWebhooks()), 2)
}

func budgetWebhookPending(f *fixture) {
	w, other, ofJob := f.reached(0), f.reached(1), f.ended()
	f.wantEqual("the tasks of a job", f.pending(ofJob.JobID), []string{ofJob.Task().ID()})
	f.wantEqual("the tasks of all", len(f.pending("", ofJob.JobID)), 3)
	stale := w
	stale.Renewed = 3
	f.webhookSent(stale)
	f.wantEqual("after a task of another name was put", len(f.pending("")), 2)
	f.wantEqual("what is untold", f.backlog(never).Untold, 3)
	f.wantErr(f.record.WebhooksEnqueued(f.ctx, ofJob.Task(), w.Task(), w.Task()), nil)
	f.wantEqual("after it was put", f.pending("", ofJob.JobID), []string{other.Task().ID()})
	f.wantEqual("what is untold then", f.backlog(never).Untold, 1)
	f.wantEqual("the webhook, as it was", f.webhook(w), w)
}

func budgetWebhookTry(f *fixture) {
	w := f.reached(0)
	n := noteOf(w, job.WebhookWaiting, never)
	got := f.note(w, job.WebhookWaiting, never)
	want := w
	want.Tries, want.NextAt, want.Log = 1, got.NextAt, []job.WebhookTry{n.Try}
	f.wantEqual("the webhook", got, want)
	f.wantEqual("the tasks that are not on the queue", f.pending(""), []string(nil))
	_, noted, err := f.record.NoteWebhook(f.ctx, n)
	f.wantErr(err, nil)
	f.wantEqual("whether it is noted again", noted, false)
	for range job.MaxWebhookLog + 1 {
		got = f.note(got, job.WebhookWaiting, 0)
	}
	f.wantEqual("how many tries are kept", len(got.Log), job.MaxWebhookLog)
	got = f.note(got, job.WebhookDelivered, 0)
	f.wantEqual("how it ends", []any{got.State, got.NextAt}, []any{job.WebhookDelivered, time.Time{}})
	_, _, found, err := f.record.Webhook(f.ctx, "", "msg_budget")
	f.wantErr(err, nil)
	f.wantEqual("whether there is another", found, false)
}

func budgetWebhookGone(f *fixture) {
	w, other := f.reached(0), f.reached(1)
	f.wantEqual("the state", f.note(w, job.WebhookGone, 0).State, job.WebhookGone)
	f.wantEqual("the other", f.webhook(other), other)
	f.reached(2)
}

func budgetWebhookUnsent(f *fixture) {
	w, other, ofJob := f.reached(0), f.reached(1), f.ended()
	f.wantEqual("before the age", len(f.unsentWebhooks(never, plenty)), 0)
	f.wantEqual("those of jobs, then the first", taskNames(f.unsentWebhooks(0, 1)), []string{ofJob.Task().ID(), w.Task().ID()})
	f.webhookSent(other)
	f.note(w, job.WebhookWaiting, -record.WebhookOverdue)
	f.webhookSent(ofJob)
	want := f.webhook(w)
	want.Renewed++
	f.wantEqual("what is overdue", taskNames(f.unsentWebhooks(never, plenty)), []string{want.Task().ID()})
	f.wantEqual("the webhook", f.webhook(w), want)
	f.wantEqual("at once afterwards", len(f.unsentWebhooks(never, plenty)), 0)
}

func budgetWebhookReplay(f *fixture) {
	w := f.note(f.reached(0), job.WebhookFailed, 0)
	f.wantEqual("the list of no job", len(f.webhooks("")), 0)
	_, err := f.record.ReplayWebhook(f.ctx, "", w.ID)
	f.wantErr(err, record.ErrNotFound)
	_, err = f.record.ReplayWebhookByHand(f.ctx, "", w.ID, record.Act{Reason: "r"})
	f.wantErr(err, record.ErrNotFound)
}

func budgetWebhookRetire(f *fixture) {
	old, kept := f.reached(longAgo), f.reached(0)
	n, err := f.record.RetireBudgets(f.ctx, plenty)
	f.wantErr(err, nil)
	f.wantEqual("how many periods are removed", n, 1)
	_, _, found, err := f.record.Webhook(f.ctx, "", old.ID)
	f.wantErr(err, nil)
	f.wantEqual("whether its webhook is there", found, false)
	f.wantEqual("what is left", f.budgetWebhooks(), []job.Webhook{kept})
}
