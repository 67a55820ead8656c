package enqueue_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/enqueue/enqueuetest"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
)

// Each row is a budget, the price and number of pictures, and how a job is refused that
// finds half of the budget reserved.
func TestSubmitGoesByBudgets(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		refuse bool
		price  int64
		count  int
		held   int
		over   bool
		never  bool
		want   error
	}{
		"it fits":                         {price: 10, count: 5},
		"some is held":                    {price: 10, count: 8, held: 3},
		"a picture fits no period":        {price: 101, count: 1, over: true, never: true},
		"it has to wait for the next one": {refuse: true, price: 10, count: 6, over: true},
		"it fits no period":               {refuse: true, price: 10, count: 11, over: true, never: true},
		"nobody knows the price":          {price: 0, count: 1, want: enqueue.ErrNoPrice},
	} {
		queue := &enqueuetest.Queue{}
		log := slog.New(slog.DiscardHandler)
		p := enqueue.New(enqueue.Config{
			Record: memory.New(), Queue: queue, Inputs: &enqueuetest.Inputs{}, Process: context.Background(), Log: log,
			Lanes: []lane.Lane{{Name: "a", Model: "m", RPM: 60, Queue: "projects/p/locations/l/queues/a"}},
			Budgets: record.BudgetBook{Log: log, Budgets: job.Budgets{
				job.TenantBudget("web"): {LimitMicros: 100, Per: job.PerMonth, Zone: time.UTC, Refuse: tt.refuse},
			}},
		})
		submit := func(price int64, count int) (job.Job, error) {
			return p.Submit(t.Context(), enqueue.Submission{
				Tenant: "web", Weight: 1, Priority: job.PriorityNormal, ExpiresIn: time.Hour, PriceMicros: price,
				Input: job.Input{Prompt: "a fox", Model: "m", Count: count},
			})
		}
		if _, err := submit(50, 1); err != nil {
			t.Fatal(err)
		}
		j, err := submit(tt.price, tt.count)
		held := 0
		for _, img := range j.Images {
			if img.HeldBy != "" {
				held++
			}
		}
		full, over := errors.AsType[*enqueue.BudgetError](err)
		if over != tt.over || over && full.NeverPasses != tt.never || held != tt.held || !errors.Is(err, tt.want) && !over {
			t.Errorf("%s: %d held, %+v, %v", name, held, full, err)
		}
	}
}
