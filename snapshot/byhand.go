package snapshot

import (
	"context"
	"errors"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Inspect implements record.Operators. It publishes nothing.
func (r *Record) Inspect(ctx context.Context, id string) (record.Inspection, error) {
	return r.record.Inspect(ctx, id)
}

// CancelByHand implements record.Operators. It tells whom Cancel tells.
func (r *Record) CancelByHand(ctx context.Context, id string, a record.Act) (job.Job, error) {
	j, err := r.record.CancelByHand(ctx, id, a)
	r.canceled(ctx, err, id, j)
	return j, err
}

// DeleteByHand implements record.Operators, and removes the job's snapshot as Delete
// does.
func (r *Record) DeleteByHand(ctx context.Context, id string, a record.Act) error {
	err := r.record.DeleteByHand(ctx, id, a)
	if err == nil || errors.Is(err, record.ErrNotFound) {
		r.cache.drop(ctx, id)
	}
	return err
}

// ReplayWebhookByHand implements record.Operators. It is no transition.
func (r *Record) ReplayWebhookByHand(ctx context.Context, jobID, id string, a record.Act) (job.Webhook, error) {
	return r.record.ReplayWebhookByHand(ctx, jobID, id, a)
}
