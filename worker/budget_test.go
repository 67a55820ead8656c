package worker_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// limit sets a budget of the tenant for so many pictures.
func (b *bundle) limit(pictures int64) {
	cfg := b.config
	cfg.Budgets = record.BudgetBook{Log: slog.New(slog.DiscardHandler), Budgets: job.Budgets{
		job.TenantBudget("web"): {LimitMicros: pictures * price, Per: job.PerMonth, Zone: time.UTC},
	}}
	b.start(cfg)
}

// An image may have been recorded by a version of before budgets, or before one was set.
func TestDeliverAsksForNothingThatIsNotReserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		b.limit(1)
		j, tasks := b.create(t, 2)
		deliver := func(task job.Task, requests int) []job.Image {
			t.Helper()
			if _, err := b.deliver(t, task); err != nil {
				t.Fatal(err)
			}
			if len(b.generator.requests) != requests {
				t.Errorf("%d requests, want %d", len(b.generator.requests), requests)
			}
			return b.get(t, j.ID).Images
		}
		if got := deliver(tasks[0], 0); got[0].ReservedMicros != price || got[0].Attempts != 0 {
			t.Errorf("the image is %+v, want it put back with its price reserved", got[0])
		}
		if got := deliver(tasks[1], 1); got[0].Status != job.StatusSucceeded || got[0].Attempts != 1 {
			t.Errorf("the image is %+v, want it drawn", got[0])
		}
		if got := deliver(b.next(t, tasks[0]), 1); got[1].HeldBy != job.TenantBudget("web") {
			t.Errorf("the other image is %+v, want it held", got[1])
		}
		b.wantSpent(t, price)
	})
}

// wantSpent checks that so much is spent of the budget, and nothing reserved.
func (b *bundle) wantSpent(t *testing.T, micros int64) {
	t.Helper()
	states, err := b.record.Budgets(t.Context())
	if err != nil || len(states) != 1 || states[0].SpentMicros != micros || states[0].ReservedMicros != 0 {
		t.Errorf("the budgets are %+v, %v; want %d spent and nothing reserved", states, err, micros)
	}
}

// There is room for two attempts, and each is billed.
func TestABilledAttemptHasRoomOrIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		b.limit(2)
		b.generator.answer = func(context.Context) (job.Picture, error) {
			return b.picture, &job.Failure{Public: job.Error{Code: job.CodeProviderTimeout}, Remedy: job.RemedyRetry, Billable: true}
		}
		j, tasks := b.create(t, 1)
		task := tasks[0]
		for range 2 { // the first delivery reserves
			if _, err := b.deliver(t, task); err != nil {
				t.Fatal(err)
			}
			task = b.next(t, task)
			time.Sleep(time.Minute)
		}
		if _, err := b.deliver(t, task); err != nil {
			t.Fatal(err)
		}
		if got := b.get(t, j.ID).Images[0]; got.HeldBy != job.TenantBudget("web") || len(b.generator.requests) != 2 {
			t.Errorf("after %d requests the image is %+v, want it held after 2", len(b.generator.requests), got)
		}
		b.wantSpent(t, 2*price)
	})
}

func TestDeliverDrawsNothingOfUnknownPriceWithinABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		for i := range b.config.Lanes {
			b.config.Lanes[i].Model.Prices = nil
		}
		b.limit(1)
		j, tasks := b.create(t, 1)
		if _, err := b.deliver(t, tasks[0]); err != nil {
			t.Fatal(err)
		}
		b.wantFailed(t, j.ID, 0, job.CodeMaxCostExceeded)
		if len(b.generator.requests) > 0 {
			t.Error("a request was sent")
		}
	})
}
