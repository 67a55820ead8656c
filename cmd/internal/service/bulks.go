package service

import (
	"context"
	"errors"

	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/sweep"
)

// bulkRetrier retries the jobs of bulks, as an operator retries one. It implements
// sweep.Retrier.
type bulkRetrier struct{ jobs *operatorJobs }

// Retry accepts the retry of a job, once for each bulk: the idempotency key is made of
// both ids. So a repeated call finds the retry also if that has ended.
func (b *bulkRetrier) Retry(ctx context.Context, j job.Job, a record.Act) (job.Job, error) {
	again, err := b.jobs.retry(ctx, j, a, "bulk-"+a.Bulk+"-"+j.ID)
	if errors.Is(err, enqueue.ErrNotEnqueued) { // that is not the job's fault
		return job.Job{}, err
	}
	err = refusal(err)
	refused, isRefused := errors.AsType[*dashboard.RefusedError](err)
	switch {
	case isRefused:
		return job.Job{}, &sweep.RefusedError{Text: refused.Text}
	case errors.Is(err, record.ErrNotEnded):
		return job.Job{}, &sweep.RefusedError{Text: "The job has not ended."}
	}
	return again, err
}
