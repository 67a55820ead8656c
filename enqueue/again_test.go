package enqueue_test

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// failed returns a job whose pictures all failed.
func (b *bundle) failed(t *testing.T, s enqueue.Submission) job.Job {
	t.Helper()
	j, err := b.Submit(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return b.end(t, j, job.StatusFailed, job.StatusFailed)
}

// A retry that was accepted stays so, whatever another request for it meets.
func TestARetryThatCannotBePutLeavesTheOneThatWasAccepted(t *testing.T) {
	b := setup(t)
	ended := b.failed(t, submission())
	b.queue.Refuse = func(string) error { return grpcstatus.Error(codes.PermissionDenied, "no") }
	accepted, err := b.Retry(t.Context(), ended, enqueue.Retry{Weight: 1}) // to be put by Cloud Scheduler's sweep
	if err != nil {
		t.Fatal(err)
	}
	other := b.newProducer(sweepQueue) // which cannot ask for a sweep
	if _, err := other.Retry(t.Context(), ended, enqueue.Retry{Weight: 1}); !errors.Is(err, enqueue.ErrNotEnqueued) {
		t.Errorf("got %v, want %v", err, enqueue.ErrNotEnqueued)
	}
	if j, err := b.record.Get(t.Context(), accepted.ID); err != nil || j.Status != job.StatusQueued {
		t.Errorf("the first retry is %s, error %v, want queued", j.Status, err)
	}
}

// An ending is a record in which the job that stands in the way of a new one ends
// just then, so many times.
type ending struct {
	record.Record
	times int
}

func (e *ending) Create(ctx context.Context, d record.Draft) (job.Job, []job.Task, error) {
	if e.times--; e.times >= 0 {
		return job.Job{}, nil, record.ErrNotFound
	}
	return e.Record.Create(ctx, d)
}

func TestARetryIsRecordedIfTheOneBeforeEndsJustThen(t *testing.T) {
	b := setup(t)
	s := submission()
	s.Input.InputImages = []job.InputImage{{}}
	s.Uploads = []enqueue.Upload{{Data: []byte("x"), ContentType: "image/webp"}}
	ended := b.failed(t, s)
	p := b.bound(&ending{b.record, 1}, 0, 60)
	j, err := p.Retry(t.Context(), ended, enqueue.Retry{Weight: 1})
	if err != nil || j.Input.Retry == nil || len(b.inputs.Stored) != 2 {
		t.Errorf("got %+v, error %v, with %v stored", j, err, b.inputs.Stored)
	}
	if err == nil {
		b.end(t, j, job.StatusFailed, job.StatusFailed)
	}
	_, err = b.bound(&ending{b.record, 100}, 0, 60).Retry(t.Context(), ended, enqueue.Retry{Weight: 1})
	if err == nil || errors.Is(err, record.ErrNotFound) {
		t.Errorf("got %v, which says that the job is not there", err)
	}
	if len(b.inputs.Stored) != 2 {
		t.Errorf("%v are stored, want those of two jobs", b.inputs.Stored)
	}
}
