package enqueue

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var (
	// ErrNotEnded means that a job cannot be retried yet.
	ErrNotEnded = errors.New("enqueue: the job has not ended")
	// ErrNothingToRetry means that a job has all its pictures.
	ErrNothingToRetry = errors.New("enqueue: no picture of the job failed or was canceled")
)

// A Retry says how a job is to be retried.
type Retry struct {
	Weight         float64 // the tenant's share of turns, against 1
	IdempotencyKey string  // empty for none
	Fingerprint    string  // of the request

	MaxWaiting      int   // as Submission.MaxWaiting
	PriceMicros     int64 // as Submission.PriceMicros
	CostLimitMicros int64 // what the tenant may spend on one job, in millionths of a US dollar; 0 for no bound

	ByHand *record.Act // who retries by hand; nil if the caller does
}

// Retry accepts a new job that draws those pictures of a job again which failed
// or were canceled, with the same input, metadata and time to live. The job that
// ended stays as it is. While a retry of it has not ended, Retry returns that
// one. It fails with ErrNotEnded, with ErrNothingToRetry, and as Submit does.
func (p *Producer) Retry(ctx context.Context, j job.Job, r Retry) (job.Job, error) {
	if !j.Status.Terminal() {
		return job.Job{}, fmt.Errorf("%w: it is %s", ErrNotEnded, j.Status)
	}
	again := again(j)
	if len(again.Images) == 0 {
		return job.Job{}, ErrNothingToRetry
	}
	s := Submission{
		Tenant: j.Tenant, Weight: r.Weight, Priority: j.Priority, Input: j.Input, Metadata: j.Metadata,
		ExpiresIn: j.ExpiresAt.Sub(j.CreatedAt), IdempotencyKey: r.IdempotencyKey, Fingerprint: r.Fingerprint,
		MaxWaiting: r.MaxWaiting, PriceMicros: r.PriceMicros, ByHand: byHand(r.ByHand, j),
	}
	if r.ByHand != nil {
		again.Bulk = r.ByHand.Bulk
	}
	s.Input.Count, s.Input.Retry, s.Input.CostLimitMicros = len(again.Images), again, r.CostLimitMicros
	return p.Submit(ctx, s.withCopies())
}

// withCopies returns a submission with an earlier job's input, as one that has copies
// of its stored pictures: the earlier job may be removed before.
func (s Submission) withCopies() Submission {
	s.Input.InputImages = slices.Clone(s.Input.InputImages)
	for i, in := range s.Input.InputImages {
		if in.Key != "" {
			s.Uploads = append(s.Uploads, Upload{Position: i, Key: in.Key, ContentType: in.ContentType})
		}
	}
	return s
}

// byHand returns who makes a job of another one by hand, or nil.
func byHand(a *record.Act, of job.Job) *record.ByHand {
	if a == nil {
		return nil
	}
	return &record.ByHand{Act: *a, Of: of.ID}
}

// again returns which pictures of a job are to be drawn again. Of a job that was
// a retry itself, the indexes are still those of the first job, since seeds
// follow from them.
func again(j job.Job) *job.Retry {
	retry := &job.Retry{Of: j.ID}
	for i, img := range j.Images {
		if img.Status != job.StatusFailed && img.Status != job.StatusCanceled {
			continue
		}
		if first := j.Input.Retry; first != nil {
			i = first.Images[i]
		}
		retry.Images = append(retry.Images, i)
	}
	return retry
}
