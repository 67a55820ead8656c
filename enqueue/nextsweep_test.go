package enqueue_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ai-worker/ai-worker/job"
)

const sweepQueue = "projects/p/locations/l/queues/sweep-v1"

// setupSelfSwept does what setup does, for a service that asks for its own
// sweeps.
func setupSelfSwept(t *testing.T) *bundle {
	t.Helper()
	b := setup(t)
	b.Producer = b.newProducer(sweepQueue)
	return b
}

func (b *bundle) submit(t *testing.T) job.Job {
	t.Helper()
	s := submission()
	s.Input.Count = 1
	j, err := b.Submit(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// takeSweeps returns the sweeps asked for since the last call, and empties the
// queue.
func (b *bundle) takeSweeps() []*cloudtaskspb.CreateTaskRequest {
	var asked []*cloudtaskspb.CreateTaskRequest
	for _, r := range b.queue.Requests {
		if r.GetParent() == sweepQueue {
			asked = append(asked, r)
		}
	}
	b.queue.Requests = nil
	return asked
}

func TestSubmitAsksForASweepFirst(t *testing.T) {
	b := setupSelfSwept(t)
	before := time.Now().Truncate(10 * time.Minute)
	b.submit(t)
	first := b.queue.Requests[0]
	asked := b.takeSweeps()
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
	b.submit(t)
	b.submit(t)
	other.submit(t)
	mine, others := b.takeSweeps(), other.takeSweeps()
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
	b.queue.Errs = []error{grpcstatus.Error(codes.AlreadyExists, "asked for already")}
	b.submit(t)
	b.submit(t)
	if got := len(b.takeSweeps()); got != 1 {
		t.Errorf("asked %d times, want once", got)
	}
	if b.log.Len() > 0 {
		t.Errorf("logged:\n%s", b.log)
	}
}

// Clocks differ. A sweep that comes while this clock is a little behind asks
// for the next sweep and not for itself. A clock that was far ahead once does
// not stop later sweeps from being asked for.
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
		asked := b.queue.Requests[len(b.queue.Requests)-1].GetTask().GetScheduleTime().AsTime()
		if asked != tt.want {
			t.Errorf("at %v: asked for %v, want %v", tt.now, asked, tt.want)
		}
	}
	if got := len(b.takeSweeps()); got != 4 {
		t.Errorf("asked %d times, want 4", got)
	}
}

func TestSubmitGoesOnWithoutASweep(t *testing.T) {
	b := setupSelfSwept(t)
	b.queue.Errs = []error{grpcstatus.Error(codes.NotFound, "no such queue")}
	j := b.submit(t)
	if got, err := b.record.Get(t.Context(), j.ID); err != nil || got.Status != job.StatusQueued {
		t.Errorf("the job is %s, %v", got.Status, err)
	}
	if !bytes.Contains(b.log.Bytes(), []byte("Cloud Scheduler's sweep only")) {
		t.Errorf("logged:\n%s", b.log)
	}
	b.takeSweeps()
	b.submit(t)
	if got := len(b.takeSweeps()); got != 1 {
		t.Errorf("asked %d times after a failure, want once more", got)
	}
}

// A sweep that comes soon has a name of its own, and asking for it does not stand
// in the way of the regular ones.
func TestASweepIsAskedForSoon(t *testing.T) {
	b := setupSelfSwept(t)
	now := time.Date(2026, 11, 23, 12, 3, 20, 0, time.UTC)
	for range 2 {
		for _, ask := range []func(context.Context, time.Time) error{b.AskForSweep, b.AskForSweepSoon} {
			if err := ask(t.Context(), now); err != nil {
				t.Fatal(err)
			}
		}
	}
	var at []string
	for _, r := range b.queue.Requests {
		at = append(at, r.GetTask().GetScheduleTime().AsTime().Format(time.TimeOnly))
	}
	if diff := cmp.Diff([]string{"12:10:00", "12:05:00"}, at); diff != "" {
		t.Errorf("sweeps (-want +got):\n%s", diff)
	}
}
