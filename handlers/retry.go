package handlers

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/snapshot"
)

// RegisterRetry adds the operation that draws failed pictures again to api.
func (h *Jobs) RegisterRetry(api huma.API, method, path string) {
	huma.Register(api, huma.Operation{
		OperationID: "retry-job", Method: method, Path: path,
		Summary: "Draw what failed again",
		Description: "Records a new job for the pictures of a job that failed or were canceled, with the same input and metadata. " +
			"The job that ended stays as it is. While one retry of it has not ended, the answer is that one.",
		DefaultStatus: http.StatusAccepted,
		Metadata: answersWith(map[int]answer{
			http.StatusAccepted:        answerOf[snapshot.JobResource]("The job that draws them.", "ETag", "Cache-Control", "Location"),
			http.StatusPaymentRequired: {},
			http.StatusConflict:        {},
			http.StatusTooManyRequests: {},
		}),
	}, telling(h, h.retry))
}

type retryInput struct {
	ID             string `path:"id" doc:"The job's id."`
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"Makes a repeated request return the first one's job."`
}

// retry serves POST /api/jobs/{id}/retry.
func (h *Jobs) retry(ctx context.Context, in *retryInput) (*jobOutput, error) {
	c := &checker{}
	c.checkIdempotencyKey(in.IdempotencyKey)
	if err := c.err(); err != nil {
		return nil, err
	}
	j, err := h.getOwnJob(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if j.Input.Webhook != nil && h.CheckURL == nil {
		return nil, huma.Error422UnprocessableEntity("The job's receiver cannot be told: this service has no WEBHOOK_SECRET to sign with. " +
			"Have that set, or send a new request without webhook.")
	}
	t := tenant(ctx)
	again, err := h.Producer.Retry(ctx, j, enqueue.Retry{
		Weight: t.Weight, IdempotencyKey: in.IdempotencyKey, Fingerprint: fingerprint([]byte("retry " + j.ID)),
		MaxWaiting: t.Limits.MaxWaiting, PriceMicros: h.price(j.Input), CostLimitMicros: t.Limits.MaxCostMicros,
	})
	if _, gone := errors.AsType[*job.NoUploadError](err); gone {
		return nil, huma.Error409Conflict("An input picture of the job is not stored any more. Send a new request with the picture.")
	}
	if err != nil {
		return nil, err
	}
	snap, err := h.Snapshots.Snapshot(ctx, again.ID)
	if err != nil { // the job is accepted, and the answer can say so
		snap, err = h.Snapshots.Render(again)
	}
	if err != nil {
		return nil, err
	}
	out := output(snap)
	out.Status, out.Location = http.StatusAccepted, snapshot.Path(again.ID)
	return out, nil
}
