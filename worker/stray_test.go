package worker_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/worker"
)

// createOf records a job of n pictures of a model, whose tasks are on lane a.
func (b *bundle) createOf(t *testing.T, model string, n int) (job.Job, []job.Task) {
	t.Helper()
	j, tasks, err := b.record.Create(t.Context(), record.Draft{
		ID: uuid.Must(uuid.NewV7()).String(), Tenant: "web", Weight: 1, ExpiresIn: time.Hour,
		Input: job.Input{Prompt: "a fox", Model: model, Count: n}, Lanes: slices.Repeat([]string{"a"}, n),
	})
	if err != nil {
		t.Fatal(err)
	}
	return j, tasks
}

// The lane was given another model since the image was recorded. No lane serves its
// model now: it waits, costs no slot, and its slot draws the next image.
func TestDeliverParksWhatNoLaneServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, p, asked := paced(t)
		b.router.lane = ""
		old, tasks := b.createOf(t, "retired", 1)
		next, _ := b.create(t, 1)
		if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictDone || err != nil {
			t.Errorf("got %v, %v", verdict, err)
		}
		b.want(t, old.ID, job.Image{Status: job.StatusQueued, Parked: true})
		b.wantStatus(t, next.ID, job.StatusSucceeded)
		if len(asked.all) != 1 || p.taken != 1 {
			t.Errorf("%d requests with %d slots, want one with one", len(asked.all), p.taken)
		}
	})
}

// A lane answers for the model under another name: the image goes there, and its
// slot draws the next image.
func TestDeliverPassesAStrayImageOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, asked := paced(t)
		b.router.lane = "b"
		_, tasks := b.createOf(t, "retired", 1)
		if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictDone || err != nil {
			t.Errorf("got %v, %v", verdict, err)
		}
		// It was claimed by the very slot, as an image of the lane's model.
		if len(asked.all) != 1 || b.generator.requests[0].Model != "m" {
			t.Errorf("requests %+v, want one for the lane's model", b.generator.requests)
		}
	})
}

// No image is claimed for a lane that is paused in the settings, or gone.
func TestDeliverLeavesALaneThatIsPaused(t *testing.T) {
	for name, on := range map[string]string{"paused": "a", "gone": "x"} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.config.Lanes[0].Lane.Paused = true
			b.start(b.config)
			b.router.lane = "b"
			j, tasks := b.create(t, 2)
			tasks[0].Lane, tasks[1].Lane = on, on
			if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictDone || err != nil {
				t.Errorf("got %v, %v", verdict, err)
			}
			if _, put := b.router.tasks[job.Task{JobID: j.ID, Dispatch: 2, Lane: "b"}]; !put {
				t.Errorf("the tasks are %v", b.router.tasks)
			}
			b.router.lane = ""
			if verdict, err := b.deliver(t, tasks[1]); verdict != worker.VerdictDone || err != nil {
				t.Errorf("got %v, %v", verdict, err)
			}
			got, err := b.record.Get(t.Context(), j.ID)
			if err != nil || got.Images[0].Parked || !got.Images[1].Parked {
				t.Errorf("%v; the images are %+v, want the second parked", err, got.Images)
			}
			if n := len(b.generator.requests); n > 0 {
				t.Errorf("%d requests", n)
			}
		})
	}
}
