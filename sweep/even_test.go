package sweep_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/sweep"
)

// setLanes deploys the bundle anew with lanes.
func (b *bundle) setLanes(lanes ...lane.Lane) {
	for i := range lanes {
		lanes[i].Queue = "projects/p/locations/l/queues/" + lanes[i].Name
	}
	b.lanes = lanes
	b.producer = b.newProducer(sweepQueue)
	b.sweeper.Producer, b.sweeper.Lanes = b.producer, lanes
}

// lineUp records n images whose tasks are on a lane.
func (b *bundle) lineUp(t *testing.T, on lane.Lane, n int) {
	t.Helper()
	for ; n > 0; n -= job.MaxCount {
		count := min(n, job.MaxCount)
		d := record.Draft{
			ID: fmt.Sprintf("00000000-0000-7000-8000-%012d", b.drafts), Tenant: "web", Weight: 1, ExpiresIn: 24 * time.Hour,
			Input: job.Input{Prompt: "a fox", Model: on.Model, Count: count},
		}
		b.drafts++
		for range count {
			d.Lanes = append(d.Lanes, on.Name)
		}
		_, tasks, err := b.record.Create(t.Context(), d)
		if err == nil {
			err = b.record.Enqueued(t.Context(), tasks...)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// waiting returns how many images wait on each lane.
func (b *bundle) waiting(t *testing.T) map[string]int {
	t.Helper()
	states, err := b.record.LaneStates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waiting := map[string]int{}
	for _, s := range states {
		waiting[s.Name] = s.Waiting
	}
	return waiting
}

func TestSweepEvensOutTheLanesOfAModel(t *testing.T) {
	a, b := lane.Lane{Name: "a", Model: "m", RPM: 60}, lane.Lane{Name: "b", Model: "m", RPM: 60}
	slow, fast := lane.Lane{Name: "b", Model: "m", RPM: 10}, lane.Lane{Name: "b", Model: "m", RPM: 600}
	other, stopped := b, b
	other.Model, stopped.Paused = "n", true
	for name, tt := range map[string]struct {
		lanes  []lane.Lane
		on     map[string]int // what waits
		closed map[string]time.Duration
		want   map[string]int
		soon   bool // the next sweep is asked for soon
	}{
		"an idle lane":         {lanes: []lane.Lane{a, b}, on: map[string]int{"a": 800}, want: map[string]int{"a": 400, "b": 400}},
		"an idle, slow lane":   {lanes: []lane.Lane{a, slow}, on: map[string]int{"a": 800}, want: map[string]int{"a": 688, "b": 112}},
		"little to gain":       {lanes: []lane.Lane{a, b}, on: map[string]int{"a": 299}, want: map[string]int{"a": 299}},
		"another model's":      {lanes: []lane.Lane{a, other}, on: map[string]int{"a": 800}, want: map[string]int{"a": 800}},
		"a paused lane":        {lanes: []lane.Lane{a, stopped}, on: map[string]int{"a": 800}, want: map[string]int{"a": 800}},
		"a closed lane":        {lanes: []lane.Lane{a, b}, on: map[string]int{"a": 800}, closed: map[string]time.Duration{"b": time.Hour}, want: map[string]int{"a": 800}},
		"from a closed lane":   {lanes: []lane.Lane{a, b}, on: map[string]int{"a": 60}, closed: map[string]time.Duration{"a": time.Hour}, want: map[string]int{"a": 0, "b": 60}},
		"a lane on probation":  {lanes: []lane.Lane{a, b}, on: map[string]int{"a": 800}, closed: map[string]time.Duration{"b": 0}, want: map[string]int{"a": 798, "b": 2}, soon: true},
		"more than 12 minutes": {lanes: []lane.Lane{a, slow}, on: map[string]int{"a": 3000}, want: map[string]int{"a": 2880, "b": 120}, soon: true},
		"more than one sweep":  {lanes: []lane.Lane{a, fast}, on: map[string]int{"a": 4000}, want: map[string]int{"a": 2000, "b": 2000}, soon: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := setup(t, sweepQueue)
			s.setLanes(tt.lanes...)
			for l, n := range tt.on {
				on, _ := lane.Find(tt.lanes, l)
				s.lineUp(t, on, n)
			}
			for l, d := range tt.closed {
				if err := s.record.Pause(t.Context(), []string{l}, record.Pause{For: d, Reason: job.Error{Code: job.CodeLaneUnavailable}}); err != nil {
					t.Fatal(err)
				}
			}
			s.sweepOnce(t)
			if got := s.takeSweeps(); got != 1 && !tt.soon || got != 2 && tt.soon {
				t.Errorf("%d sweeps are asked for; one soon: %t", got, tt.soon)
			}
			got := s.waiting(t)
			for l, n := range tt.want {
				if off := got[l] - n; off < -30 || off > 30 { // half a minute's work
					t.Errorf("%d wait on %s, want about %d", got[l], l, n)
				}
			}
			if moved := s.sweepOnce(t).Moved; !tt.soon && moved > 0 {
				t.Errorf("the next sweep moved another %d", moved)
			}
		})
	}
}

// Images that go to a queue which is gone stay few: the sweep ends at the first
// page, and says why.
func TestSweepStopsAtALaneWhoseQueueIsGone(t *testing.T) {
	s := setup(t, sweepQueue)
	a, b := lane.Lane{Name: "a", Model: "m", RPM: 60}, lane.Lane{Name: "b", Model: "m", RPM: 60}
	s.setLanes(a, b)
	s.lineUp(t, a, 800)
	gone := grpcstatus.Error(codes.NotFound, "no such queue")
	s.queue.Refuse = func(string) error { return gone }
	swept, err := s.sweeper.Sweep(t.Context())
	if swept.Moved != 100 || !errors.Is(err, gone) {
		t.Errorf("moved %d, %v; want a page, and the queue's error", swept.Moved, err)
	}
}

// What waits at a lane that is gone is moved, parked, and given tasks again, though
// nothing is ever delivered.
func TestSweepPlacesWhatNoDeliveryWould(t *testing.T) {
	s := setup(t, sweepQueue)
	a, b := lane.Lane{Name: "a", Model: "m", RPM: 60}, lane.Lane{Name: "b", Model: "n", RPM: 60}
	s.setLanes(a, b)
	s.lineUp(t, a, 20)
	s.lineUp(t, b, 30)
	for _, step := range []struct {
		lanes         []lane.Lane
		moved, parked int
		want          map[string]int
	}{
		{[]lane.Lane{{Name: "c", Model: "n", RPM: 60}}, 50, 20, map[string]int{"a": 0, "b": 0, "c": 30}},
		{[]lane.Lane{{Name: "c", Model: "n", RPM: 60}}, 0, 20, map[string]int{"a": 0, "b": 0, "c": 30}},
		{[]lane.Lane{{Name: "c", Model: "k", RPM: 60, AlsoServes: []string{"m", "n"}}}, 50, 0, map[string]int{"a": 0, "b": 0, "c": 50}},
	} {
		s.setLanes(step.lanes...)
		if diff := cmp.Diff(sweep.Swept{Moved: step.moved}, s.sweepOnce(t)); diff != "" {
			t.Errorf("swept (-want +got):\n%s", diff)
		}
		backlog, err := s.record.Backlog(t.Context(), 0)
		if err != nil || backlog.Parked != step.parked || backlog.Unsent != 0 {
			t.Errorf("%d are parked and %d unsent, %v; want %d and none", backlog.Parked, backlog.Unsent, err, step.parked)
		}
		if diff := cmp.Diff(step.want, s.waiting(t)); diff != "" {
			t.Errorf("waiting (-want +got):\n%s", diff)
		}
	}
	models, err := s.record.Models(t.Context())
	if diff := cmp.Diff([]record.ModelState{{Model: "k", Waiting: 50}}, models); diff != "" || err != nil {
		t.Errorf("%v; models (-want +got):\n%s", err, diff)
	}
}

// A task that never got to its queue goes to another lane if its own cannot be used.
func TestSweepSendsPastALaneThatIsPaused(t *testing.T) {
	s := setup(t, sweepQueue)
	a, b := lane.Lane{Name: "a", Model: "m", RPM: 60}, lane.Lane{Name: "b", Model: "m", RPM: 60}
	s.setLanes(a)
	s.queue.Refuse = func(name string) error {
		if strings.HasPrefix(name, sweepQueue) {
			return nil
		}
		return grpcstatus.Error(codes.PermissionDenied, "no")
	}
	s.submit(t, 2)
	s.queue.Refuse = nil
	a.Paused = true
	s.setLanes(a, b)
	s.advance(2 * time.Minute)
	s.sweepOnce(t)
	if diff := cmp.Diff(map[string]int{"a": 0, "b": 2}, s.waiting(t)); diff != "" {
		t.Errorf("waiting (-want +got):\n%s", diff)
	}
}
