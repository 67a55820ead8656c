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

func act(action string) record.Act {
	return record.Act{Who: "otto", Role: "operator", Action: action, Reason: "because"}
}

// audit returns what was done to a job by hand.
func (b *bundle) audit(t *testing.T, id string) (acts []record.Act) {
	t.Helper()
	page, err := b.record.Audit(t.Context(), record.AuditQuery{Target: id, Limit: 9})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Entries {
		acts = append(acts, e.Act)
	}
	return acts
}

// A job that is drawn again with edits is another job of the same tenant, with copies
// of its input pictures. Nobody is told of it who was not asked for.
func TestRedraw(t *testing.T) {
	b := setup(t)
	s := submission()
	s.Metadata, s.Priority, s.Input.MaxCostMicros = []byte(`{"a":1}`), job.PriorityLow, 1_000_000
	s.Input.Webhook = &job.Receiver{URL: "https://example.com", Events: job.EndEvents()}
	s.Input.InputImages = []job.InputImage{{}}
	s.Uploads = []enqueue.Upload{{Data: []byte("x"), ContentType: "image/webp"}}
	j, err := b.Submit(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	seed := int32(3)
	r := enqueue.Redraw{Prompt: "a cat", Model: "m", AspectRatio: "1:1", Count: 3, Seed: &seed, Key: "k", Weight: 1, ByHand: act(record.ActionDrawAgain)}
	got, err := b.Redraw(t.Context(), j, r)
	if err != nil {
		t.Fatal(err)
	}
	want := j.Input
	want.Prompt, want.AspectRatio, want.Count, want.Seed, want.Webhook = "a cat", "1:1", 3, &seed, nil
	want.InputImages = got.Input.InputImages
	if diff := cmp.Diff(want, got.Input); diff != "" {
		t.Errorf("the input (-want +got):\n%s", diff)
	}
	if key := got.Input.InputImages[0].Key; key == "" || key == j.Input.InputImages[0].Key {
		t.Errorf("its input picture is %q, and that of the first job %q", key, j.Input.InputImages[0].Key)
	}
	if got.Tenant != "web" || got.Priority != job.PriorityLow || string(got.Metadata) != `{"a":1}` || got.ExpiresAt.Sub(got.CreatedAt) != time.Hour {
		t.Errorf("the job is %+v", got)
	}
	if again, err := b.Redraw(t.Context(), j, r); err != nil || again.ID != got.ID {
		t.Errorf("sent twice, it made %s, %v", again.ID, err)
	}
	r.Prompt = "a dog"
	if _, err := b.Redraw(t.Context(), j, r); !errors.Is(err, record.ErrIdempotencyMismatch) {
		t.Errorf("with other edits: %v", err)
	}
	if diff := cmp.Diff([]record.Act{act(record.ActionDrawAgain)}, b.audit(t, j.ID)); diff != "" {
		t.Errorf("the audit (-want +got):\n%s", diff)
	}
	r.Key, r.Tell = "l", true
	if told, err := b.Redraw(t.Context(), j, r); err != nil || told.Input.Webhook == nil {
		t.Errorf("its receiver is %v, %v", told.Input.Webhook, err)
	}
	r.Key, r.Count = "m", 99
	if _, err := b.Redraw(t.Context(), j, r); !errors.Is(err, enqueue.ErrOutOfBounds) {
		t.Errorf("99 pictures: %v", err)
	}
}

// A retry by hand is in the audit; one that a caller asks for is not.
func TestRetryByHand(t *testing.T) {
	b := setup(t)
	for _, by := range []*record.Act{nil, {Who: "otto", Role: "operator", Action: record.ActionRetryJob, Reason: "because"}} {
		j, err := b.Submit(t.Context(), submission())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Retry(t.Context(), b.end(t, j, job.StatusCanceled), enqueue.Retry{Weight: 1, ByHand: by}); err != nil {
			t.Fatal(err)
		}
		if got := len(b.audit(t, j.ID)); got != map[bool]int{true: 0, false: 1}[by == nil] {
			t.Errorf("by %v: %d entries", by, got)
		}
	}
}
