package sweep_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/sweep"
)

// useBudgets sets the budgets of the sweeper and of its producer.
func (b *bundle) useBudgets(set job.Budgets) {
	book := record.BudgetBook{Budgets: set, Log: slog.New(slog.DiscardHandler)}
	b.producer = enqueue.New(enqueue.Config{
		Record: b.record, Queue: b.queue, Target: enqueue.Target{SweepQueue: sweepQueue}, Lanes: b.lanes, Budgets: book,
		Process: context.Background(), Log: slog.New(slog.DiscardHandler),
	})
	b.sweeper.Budgets, b.sweeper.Producer = book, b.producer
}

// submitFor records a job of pictures that cost 100 each.
func (b *bundle) submitFor(t *testing.T, tenant string, count int) job.Job {
	t.Helper()
	j, err := b.producer.Submit(t.Context(), enqueue.Submission{
		Tenant: tenant, Weight: 1, Priority: job.PriorityNormal, ExpiresIn: 72 * time.Hour, PriceMicros: 100,
		Input: job.Input{Prompt: "a fox", Model: "m", Count: count},
	})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// held returns how many images of a job are held.
func (b *bundle) held(t *testing.T, j job.Job) (n int) {
	t.Helper()
	for _, img := range b.job(t, j.ID).Images {
		if img.HeldBy != "" {
			n++
		}
	}
	return n
}

func (b *bundle) wantHeld(t *testing.T, when string, j job.Job, want int) {
	t.Helper()
	if got := b.held(t, j); got != want {
		t.Errorf("%s, %d images of %s are held, want %d", when, got, j.Tenant, want)
	}
}

func daily(limit int64) job.Budget {
	return job.Budget{LimitMicros: limit, Per: job.PerDay, Zone: time.UTC}
}

// Time begins at midnight in UTC.
func TestHeldImagesAreReleasedOnceThePeriodBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, sweepQueue)
		b.useBudgets(job.Budgets{job.ServiceBudget: daily(500), job.TenantBudget("web"): daily(250)})
		web, rival := b.submitFor(t, "web", 5), b.submitFor(t, "rival", 4)
		b.wantHeld(t, "at first", web, 3)
		b.wantHeld(t, "at first", rival, 1)
		if swept := b.sweepOnce(t); swept.Released != 0 {
			t.Errorf("without room, %d are released", swept.Released)
		}
		midnight := time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC)
		if !slices.ContainsFunc(b.queue.Requests, func(r *cloudtaskspb.CreateTaskRequest) bool {
			return r.GetParent() == sweepQueue && r.GetTask().GetScheduleTime().AsTime().Equal(midnight)
		}) {
			t.Errorf("no sweep is asked for at %v", midnight)
		}
		time.Sleep(24 * time.Hour)
		swept := b.sweepOnce(t)
		if swept.Released != 3 || swept.Moved != 3 {
			t.Errorf("the next day, %d are released and %d have a lane, want 3", swept.Released, swept.Moved)
		}
		b.wantHeld(t, "the next day", web, 1)
		b.wantHeld(t, "the next day", rival, 0)
		if swept := b.sweepOnce(t); swept.Released != 0 {
			t.Errorf("another sweep releases %d", swept.Released)
		}
	})
}

// One whose budget is full keeps nobody back who waits for the service's.
func TestHeldImagesAreReleasedWithTheSetting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, sweepQueue)
		b.useBudgets(job.Budgets{job.ServiceBudget: daily(200), job.TenantBudget("web"): daily(300)})
		web, rival := b.submitFor(t, "web", 5), b.submitFor(t, "rival", 2)
		b.wantHeld(t, "at first", web, 3)
		b.wantHeld(t, "at first", rival, 2)
		b.useBudgets(job.Budgets{job.ServiceBudget: daily(900), job.TenantBudget("web"): daily(300)})
		b.sweepOnce(t)
		b.wantHeld(t, "with a larger budget", web, 2)
		b.wantHeld(t, "with a larger budget", rival, 0)
		b.useBudgets(nil)
		b.sweepOnce(t)
		b.wantHeld(t, "without one", web, 0)
	})
}

// A worker that was killed does not tell what its attempt was billed.
func TestSweepSettlesWhatNobodyTellsOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, sweepQueue)
		b.useBudgets(job.Budgets{job.TenantBudget("web"): daily(100)})
		first := b.submitFor(t, "web", 1)
		later := b.submitFor(t, "web", 1)
		b.claim(t, first, 0)
		if _, err := b.record.Cancel(t.Context(), first.ID); err != nil {
			t.Fatal(err)
		}
		b.sweepOnce(t)
		b.wantHeld(t, "while a worker may tell", later, 1)
		time.Sleep(15 * time.Minute)
		if swept := b.sweepOnce(t); swept.Settled != 1 || swept.Released != 1 {
			t.Errorf("%d are settled and %d released, want one", swept.Settled, swept.Released)
		}
	})
}

// The daily sweep removes periods of budgets that ended more than 400 days ago, and the
// others leave them.
func TestOldPeriodsAreRemovedByTheDailySweep(t *testing.T) {
	t.Parallel()
	b := setup(t, "")
	from := time.Now().Add(-record.BudgetsKept).AddDate(0, 0, -2)
	d := record.Draft{
		ID: newID(), Tenant: "web", Weight: 1, ExpiresIn: time.Hour, PriceMicros: 100,
		Budgets: record.Budgets{Periods: []job.BudgetPeriod{{Scope: job.ServiceBudget, From: from, To: from.AddDate(0, 0, 1), LimitMicros: 100}}},
		Input:   job.Input{Prompt: "a", Model: "m", Count: 1}, Lanes: []string{""},
	}
	if _, _, err := b.record.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	for want, sweep := range []func(context.Context) (sweep.Swept, error){b.sweeper.Sweep, b.sweeper.SweepDaily} {
		swept, _ := sweep(t.Context()) // the daily one fails, since there is no bucket to list
		if swept.Budgets != want {
			t.Errorf("%d are removed, want %d", swept.Budgets, want)
		}
	}
}
