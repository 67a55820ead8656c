package enqueue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// end ends the images of a job, in order, with these states.
func (b *bundle) end(t *testing.T, j job.Job, states ...job.Status) job.Job {
	t.Helper()
	for i, s := range states {
		task := job.Task{JobID: j.ID, Index: i, Dispatch: 1, Lane: "a"}
		if s == job.StatusCanceled {
			if _, err := b.record.Cancel(t.Context(), j.ID); err != nil {
				t.Fatal(err)
			}
			break
		}
		c, err := b.record.Claim(t.Context(), record.ClaimRequest{Model: "m", Task: task, Lease: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if s == job.StatusSucceeded {
			_, err = b.record.Succeed(t.Context(), c, record.Success{Object: job.Object{Key: "k"}})
		} else {
			_, err = b.record.Fail(t.Context(), c, job.Error{Code: job.CodeBlocked})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ended, err := b.record.Get(t.Context(), j.ID)
	if err != nil {
		t.Fatal(err)
	}
	return ended
}

func TestRetryDrawsWhatIsMissing(t *testing.T) {
	b := setup(t)
	s := submission()
	seed := int32(7)
	s.Input.Count, s.Input.Seed, s.Metadata, s.Priority = 4, &seed, []byte(`{"a":1}`), job.PriorityLow
	s.Input.InputImages = []job.InputImage{{URL: "https://example.com/a.png"}, {}}
	s.Uploads = []enqueue.Upload{{Position: 1, Data: []byte("x"), ContentType: "image/webp"}}
	j, err := b.Submit(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Retry(t.Context(), j, enqueue.Retry{Weight: 1}); !errors.Is(err, enqueue.ErrNotEnded) {
		t.Errorf("an open job is retried: %v", err)
	}
	ended := b.end(t, j, job.StatusSucceeded, job.StatusFailed, job.StatusSucceeded, job.StatusCanceled)

	again, err := b.Retry(t.Context(), ended, enqueue.Retry{Weight: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := ended.Input
	want.Count, want.Retry = 2, &job.Retry{Of: j.ID, Images: []int{1, 3}}
	want.InputImages = []job.InputImage{{URL: "https://example.com/a.png"}, {Key: again.ID + "/1", ContentType: "image/webp"}}
	if diff := cmp.Diff(want, again.Input); diff != "" {
		t.Errorf("the retry's input (-want +got):\n%s", diff)
	}
	if string(again.Metadata) != `{"a":1}` || again.Priority != job.PriorityLow || again.ExpiresAt.Sub(again.CreatedAt) != time.Hour {
		t.Errorf("the retry is %+v", again)
	}
	if first, second := again.Input.SeedOf(0), again.Input.SeedOf(1); *first != 8 || *second != 10 {
		t.Errorf("drawn with the seeds %d and %d, want those of the first time, 8 and 10", *first, *second)
	}

	same, err := b.Retry(t.Context(), ended, enqueue.Retry{Weight: 1})
	if err != nil || same.ID != again.ID {
		t.Errorf("a second retry while the first is under way is %s, error %v, want %s", same.ID, err, again.ID)
	}
	if n := len(b.inputs.Stored); n != 2 { // the job's, and its retry's
		t.Errorf("%d input pictures are stored: %v", n, b.inputs.Stored)
	}
}

// A retry of a retry draws with the seeds of the first job.
func TestRetryOfARetry(t *testing.T) {
	b := setup(t)
	s := submission()
	seed := int32(0)
	s.Input.Count, s.Input.Seed = 3, &seed
	j, err := b.Submit(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]int{{1, 2}, {2}} {
		states := make([]job.Status, len(j.Images))
		for i := range states {
			states[i] = job.StatusFailed
		}
		states[0] = job.StatusSucceeded
		if j, err = b.Retry(t.Context(), b.end(t, j, states...), enqueue.Retry{Weight: 1}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, j.Input.Retry.Images); diff != "" {
			t.Errorf("drawn again (-want +got):\n%s", diff)
		}
	}
	done := b.end(t, j, job.StatusSucceeded)
	if _, err := b.Retry(t.Context(), done, enqueue.Retry{Weight: 1}); !errors.Is(err, enqueue.ErrNothingToRetry) {
		t.Errorf("a job with all its pictures is retried: %v", err)
	}
}
