package enqueue_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
)

const sweepQueue = "projects/p/locations/l/queues/sweep-v1"

// setupSelfSwept is setupSweep for a service that has itself swept.
func setupSelfSwept(t *testing.T) *sweepBundle {
	t.Helper()
	b := setupSweep(t)
	b.Producer = selfSwept(b)
	b.sweeper.Producer = b.Producer
	return b
}

// selfSwept is the producer of an instance that has just started.
func selfSwept(b *sweepBundle) *enqueue.Producer {
	return enqueue.New(b.store, b.queue, b.inputs, enqueue.Target{
		URL: "https://worker.example.com", ServiceAccount: "tasks@p.iam.gserviceaccount.com",
		Audience: "https://worker.example.com", DispatchDeadline: 10 * time.Minute, SweepQueue: sweepQueue,
	}, []lane.Lane{{Name: "a", Model: "m", RPM: 60, Queue: queueName}}, slog.New(slog.NewJSONHandler(b.log, nil)))
}

// sweeps are the sweeps asked for since the last call, and empties the queue.
func (b *sweepBundle) sweeps() []*cloudtaskspb.CreateTaskRequest {
	var asked []*cloudtaskspb.CreateTaskRequest
	for _, r := range b.queue.requests {
		if r.GetParent() == sweepQueue {
			asked = append(asked, r)
		}
	}
	b.queue.requests = nil
	return asked
}

func TestSubmitAsksForASweepFirst(t *testing.T) {
	b := setupSelfSwept(t)
	before := time.Now().Truncate(10 * time.Minute)
	b.submit(t, 1)
	first := b.queue.requests[0]
	asked := b.sweeps()
	at := asked[0].GetTask().GetScheduleTime()
	want := &cloudtaskspb.CreateTaskRequest{Parent: sweepQueue, Task: &cloudtaskspb.Task{
		Name: asked[0].GetTask().GetName(),
		MessageType: &cloudtaskspb.Task_HttpRequest{HttpRequest: &cloudtaskspb.HttpRequest{
			HttpMethod: cloudtaskspb.HttpMethod_POST, Url: "https://worker.example.com/tasks/sweep",
			Headers: map[string]string{"Content-Type": "application/json"},
			AuthorizationHeader: &cloudtaskspb.HttpRequest_OidcToken{OidcToken: &cloudtaskspb.OidcToken{
				ServiceAccountEmail: "tasks@p.iam.gserviceaccount.com", Audience: "https://worker.example.com",
			}},
		}},
		ScheduleTime: at, DispatchDeadline: durationpb.New(3 * time.Minute),
	}}
	if diff := cmp.Diff(want, first, protocmp.Transform()); diff != "" {
		t.Errorf("first request (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(first.GetTask().GetName(), sweepQueue+"/tasks/sweep-") {
		t.Errorf("named %s", first.GetTask().GetName())
	}
	if got := at.AsTime(); got.Truncate(10*time.Minute) != got || !got.After(before) {
		t.Errorf("asked for at %v, which is no end of an interval", got)
	}
}

// All instances ask for the same sweep, and each asks once.
func TestSubmitAsksForOneSweepAnInterval(t *testing.T) {
	b, other := setupSelfSwept(t), setupSelfSwept(t)
	b.submit(t, 1)
	b.submit(t, 1)
	other.submit(t, 1)
	mine, others := b.sweeps(), other.sweeps()
	if len(mine) != 1 || len(others) != 1 {
		t.Fatalf("asked %d and %d times, want once each", len(mine), len(others))
	}
	if mine[0].GetTask().GetScheduleTime().AsTime() != others[0].GetTask().GetScheduleTime().AsTime() {
		t.Skip("an interval ended between the two")
	}
	if diff := cmp.Diff(mine[0].GetTask().GetName(), others[0].GetTask().GetName()); diff != "" {
		t.Errorf("two instances ask for two sweeps (-mine +other's):\n%s", diff)
	}
}

func TestSubmitTakesASweepThatAnotherAskedFor(t *testing.T) {
	b := setupSelfSwept(t)
	b.queue.errs = []error{grpcstatus.Error(codes.AlreadyExists, "asked for already")}
	b.submit(t, 1)
	b.submit(t, 1)
	if got := len(b.sweeps()); got != 1 {
		t.Errorf("asked %d times, want once", got)
	}
	if b.log.Len() > 0 {
		t.Errorf("logged:\n%s", b.log)
	}
}

// By whatever clock it is asked for: a sweep that comes while this clock is a
// little behind asks for the next and not for itself, and a clock that was far
// ahead once keeps none from being asked for.
func TestSweepIsAskedForDespiteClocks(t *testing.T) {
	b := setupSelfSwept(t)
	due := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ now, want time.Time }{
		{due.Add(-time.Second), due.Add(10 * time.Minute)},
		{due.Add(24 * time.Hour), due.Add(24*time.Hour + 10*time.Minute)},
		{due, due.Add(10 * time.Minute)},
		{due.Add(8 * time.Minute), due.Add(10 * time.Minute)}, // as known already
		{due.Add(9*time.Minute + 1), due.Add(20 * time.Minute)},
	} {
		if err := b.AskForSweep(t.Context(), tt.now); err != nil {
			t.Fatal(err)
		}
		asked := b.queue.requests[len(b.queue.requests)-1].GetTask().GetScheduleTime().AsTime()
		if asked != tt.want {
			t.Errorf("at %v: asked for %v, want %v", tt.now, asked, tt.want)
		}
	}
	if got := len(b.sweeps()); got != 4 {
		t.Errorf("asked %d times, want 4", got)
	}
}

func TestSubmitGoesOnWithoutASweep(t *testing.T) {
	b := setupSelfSwept(t)
	b.queue.errs = []error{grpcstatus.Error(codes.NotFound, "no such queue")}
	j := b.submit(t, 1)
	if got := b.job(t, j.ID).Status; got != job.StatusQueued {
		t.Errorf("the job is %s", got)
	}
	if !bytes.Contains(b.log.Bytes(), []byte("Cloud Scheduler's sweep only")) {
		t.Errorf("logged:\n%s", b.log)
	}
	b.sweeps()
	b.submit(t, 1)
	if got := len(b.sweeps()); got != 1 {
		t.Errorf("asked %d times after a failure, want once more", got)
	}
}

// Sweeps go on while there is work, and end with it. Each comes to another
// instance here, which does not know what was asked for.
func TestSweepAsksForTheNextWhileThereIsWork(t *testing.T) {
	b := setupSelfSwept(t)
	j := b.submit(t, 1)
	b.sweeps()
	for _, want := range []int{1, 0} {
		b.sweeper.Producer = selfSwept(b)
		b.sweep(t)
		if got := len(b.sweeps()); got != want {
			t.Errorf("asked %d times, want %d", got, want)
		}
		if _, err := b.store.Cancel(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSweepThatCannotAskForTheNextSaysSo(t *testing.T) {
	b := setupSelfSwept(t)
	b.queue.errs = []error{grpcstatus.Error(codes.NotFound, "no such queue")}
	b.submit(t, 1)
	b.queue.errs = []error{grpcstatus.Error(codes.PermissionDenied, "no")}
	if _, err := b.sweeper.Sweep(t.Context()); !errors.Is(err, enqueue.ErrNoNextSweep) {
		t.Errorf("got %v, want ErrNoNextSweep", err)
	}
}
