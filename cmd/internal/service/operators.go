package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ai-worker/ai-worker/config"
	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/snapshot"
	"github.com/ai-worker/ai-worker/sweep"
)

// operatorJobs does for operators what is done with jobs. It implements
// dashboard.Jobs.
type operatorJobs struct {
	cfg       config.Config
	published *snapshot.Record
	producer  *enqueue.Producer
	webhooks  *enqueue.Webhooks
	sweeper   *sweep.Sweeper
}

// Render returns a job as its caller sees it.
func (o *operatorJobs) Render(j job.Job) ([]byte, error) {
	snap, err := o.published.Render(j)
	return snap.JSON, err
}

// Retry draws again what failed or was canceled, within the bounds of the job's
// tenant.
func (o *operatorJobs) Retry(ctx context.Context, j job.Job, a record.Act) (job.Job, error) {
	again, err := o.retry(ctx, j, a, "")
	return again, refusal(err)
}

// retry accepts the retry, once for a key unless that is empty.
func (o *operatorJobs) retry(ctx context.Context, j job.Job, a record.Act, key string) (job.Job, error) {
	t := o.tenant(j.Tenant)
	return o.producer.Retry(ctx, j, enqueue.Retry{
		Weight: t.Weight, MaxWaiting: t.MaxWaiting, CostLimitMicros: t.MaxCostMicros, IdempotencyKey: key,
		PriceMicros: o.price(j.Input.Model, j.Input.ImageSize), ByHand: &a,
	})
}

// Redraw accepts a job with edits, likewise.
func (o *operatorJobs) Redraw(ctx context.Context, j job.Job, e dashboard.Edits, a record.Act) (job.Job, error) {
	t := o.tenant(j.Tenant)
	drawn, err := o.producer.Redraw(ctx, j, enqueue.Redraw{
		Prompt: e.Prompt, Model: e.Model, AspectRatio: e.AspectRatio, ImageSize: e.ImageSize, Count: e.Count, Seed: e.Seed,
		Tell: e.Tell, Key: e.Key, Weight: t.Weight, MaxWaiting: t.MaxWaiting, CostLimitMicros: t.MaxCostMicros,
		PriceMicros: o.price(e.Model, e.ImageSize), ByHand: a,
	})
	return drawn, refusal(err)
}

// Replay makes a webhook wait again.
func (o *operatorJobs) Replay(ctx context.Context, jobID, id string, a record.Act) error {
	_, err := o.webhooks.ReplayByHand(ctx, jobID, id, a)
	return err
}

// Remove removes a job and its pictures.
func (o *operatorJobs) Remove(ctx context.Context, j job.Job, a record.Act) error {
	return o.sweeper.RemoveByHand(ctx, j, a)
}

// tenant returns the limits of a tenant: those of its API key, if this process has
// it.
func (o *operatorJobs) tenant(name string) config.APIKey {
	t := config.APIKey{Tenant: name}
	if i := slices.IndexFunc(o.cfg.APIKeys, func(k config.APIKey) bool { return k.Tenant == name }); i >= 0 {
		t = o.cfg.APIKeys[i]
	}
	t.Weight = cmp.Or(t.Weight, 1)
	return t
}

// price returns the list price of a picture of a model, 0 if it is not known.
func (o *operatorJobs) price(model, size string) int64 {
	m, _ := job.FindModel(models(o.cfg), model)
	return m.Price(size)
}

// refusal returns an error that says to operators why a job is not accepted.
func refusal(err error) error {
	say := func(format string, args ...any) error {
		return &dashboard.RefusedError{Text: fmt.Sprintf(format, args...)}
	}
	full, isFull := errors.AsType[*enqueue.FullError](err)
	cost, isCost := errors.AsType[*enqueue.CostError](err)
	budget, isBudget := errors.AsType[*enqueue.BudgetError](err)
	_, isGone := errors.AsType[*job.NoUploadError](err)
	switch {
	case isFull:
		return say("The tenant has %d pictures waiting, of %d that may. Try again later, or raise MAX_WAITING_PICTURES or its entry in TENANTS.", full.Waiting, full.Most)
	case isCost:
		return say("A job of the tenant may cost %s (max_cost_usd in TENANTS), and %d pictures for %s each cost more.",
			job.USD(cost.LimitMicros), cost.Count, job.USD(cost.PriceMicros))
	case isGone:
		return say("An input picture of the job is not stored any more, so that it cannot be drawn again.")
	case isBudget:
		return say("The budget %q has no room for it, and refuses what it has no room for. Raise BUDGET or the tenant's in TENANTS, or wait for the next period.", budget.Scope)
	case errors.Is(err, enqueue.ErrNoLane):
		return say("No lane serves the job's model. Add one to LANES, or name the model in a lane's \"also_serves\".")
	case errors.Is(err, enqueue.ErrNoPrice):
		return say("A budget is set, and the price of the job's model is not known.")
	case errors.Is(err, enqueue.ErrNotEnded):
		return record.ErrNotEnded
	case errors.Is(err, enqueue.ErrNothingToRetry):
		return say("No picture of the job failed or was canceled.")
	case errors.Is(err, enqueue.ErrOutOfBounds):
		return say("This cannot be asked for: %v.", err)
	case errors.Is(err, record.ErrIdempotencyMismatch):
		return say("The form was sent before, with other edits. Open it again.")
	case errors.Is(err, enqueue.ErrNotEnqueued):
		return say("Cloud Tasks cannot be reached, so that nothing would draw it. Try again in some minutes; `ai-worker doctor` says what is wrong.")
	}
	return err
}
