package enqueue_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

// withLanes returns the producer of an instance with lanes, and a queue for sweeps.
func (b *bundle) withLanes(lanes ...lane.Lane) *enqueue.Producer {
	return enqueue.New(enqueue.Config{
		Record: b.record, Queue: b.queue, Inputs: b.inputs, Lanes: lanes, Process: context.Background(),
		Target: enqueue.Target{SweepQueue: "projects/p/locations/l/queues/sweep-v1"}, Log: slog.New(slog.DiscardHandler),
	})
}

// The only lanes of a model are paused: the job waits without tasks, for a sweep
// that was asked for.
func TestSubmitParksWhatOnlyPausedLanesServe(t *testing.T) {
	b := setup(t)
	p := b.withLanes(
		lane.Lane{Name: "a", Model: "m", RPM: 60, Queue: queueName, Paused: true},
		lane.Lane{Name: "b", Model: "n", RPM: 60, Queue: queueName},
	)
	j, err := p.Submit(t.Context(), submission())
	want := []job.Image{
		{Index: 0, Status: job.StatusQueued, Parked: true}, {Index: 1, Status: job.StatusQueued, Parked: true},
	}
	if diff := cmp.Diff(want, j.Images); diff != "" || err != nil {
		t.Errorf("%v; images (-want +got):\n%s", err, diff)
	}
	if n := len(b.queue.Requests); n != 1 || !strings.Contains(b.queue.Requests[0].GetParent(), "sweep") {
		t.Errorf("%d tasks, want one for a sweep", n)
	}
	unknown := submission()
	unknown.Input.Model = "x"
	if _, err := p.Submit(t.Context(), unknown); !errors.Is(err, enqueue.ErrNoLane) {
		t.Errorf("a model that is nobody's: %v", err)
	}
}

// Nothing would find out that a lane is no longer paused.
func TestSubmitRefusesToParkWithoutASweep(t *testing.T) {
	b := setup(t)
	b.queue.Refuse = func(string) error { return grpcstatus.Error(codes.PermissionDenied, "not now") }
	p := b.withLanes(lane.Lane{Name: "a", Model: "m", RPM: 60, Queue: queueName, Paused: true})
	if _, err := p.Submit(t.Context(), submission()); !errors.Is(err, enqueue.ErrNotEnqueued) {
		t.Errorf("got %v, want %v", err, enqueue.ErrNotEnqueued)
	}
}

// What is asked for under an older name is queued under the model that draws it.
func TestSubmitQueuesAnOlderNameUnderTheModelThatDrawsIt(t *testing.T) {
	b := setup(t)
	p := b.withLanes(lane.Lane{Name: "a", Model: "m2", RPM: 60, Queue: queueName, AlsoServes: []string{"m"}})
	j, err := p.Submit(t.Context(), submission())
	if err != nil || j.Input.Model != "m" {
		t.Fatalf("%v; the job is of %q, want what was asked for", err, j.Input.Model)
	}
	_, err = b.record.Claim(t.Context(), record.ClaimRequest{
		Model: "m2", Task: job.Task{JobID: j.ID, Dispatch: 1, Lane: "a"}, Lease: time.Minute,
	})
	if err != nil {
		t.Errorf("a slot of the lane's model: %v", err)
	}
}
