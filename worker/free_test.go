package worker_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// leftovers are images that need no request any more, each of another kind.
// They are older than all others, so that it is their turn first.
var leftovers = map[string]func(*testing.T, *bundle) []job.Task{
	"past its deadline": func(t *testing.T, b *bundle) []job.Task {
		t.Helper()
		_, tasks := b.createFor(t, 1, time.Minute)
		time.Sleep(2 * time.Minute)
		return tasks
	},
	"exhausted": func(t *testing.T, b *bundle) []job.Task {
		t.Helper()
		_, tasks := b.create(t, 1)
		for range 4 {
			b.claimAndDie(t, tasks[0])
		}
		return tasks
	},
	"too expensive": func(t *testing.T, b *bundle) []job.Task {
		t.Helper()
		_, tasks := b.createBound(t, 1, 2*price)
		for range 2 {
			_, next := b.claimAndFail(t, tasks[0], price)
			tasks = []job.Task{next}
		}
		return tasks
	},
	"stored already": func(t *testing.T, b *bundle) []job.Task {
		t.Helper()
		j, tasks := b.create(t, 1)
		b.claimAndDie(t, tasks[0])
		if _, err := b.images.Put(t.Context(), j.ID, 0, b.picture); err != nil {
			t.Fatal(err)
		}
		return tasks
	},
}

// claimAndDie claims the image of a task, for a worker that dies at once.
func (b *bundle) claimAndDie(t *testing.T, task job.Task) {
	t.Helper()
	if _, err := b.record.Claim(t.Context(), record.ClaimRequest{Model: "m", Task: task}); err != nil {
		t.Fatal(err)
	}
}

// reap puts the images of dead workers back, as the sweep does. It returns
// their tasks.
func (b *bundle) reap(t *testing.T) []job.Task {
	t.Helper()
	_, tasks, err := b.record.Reap(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	return tasks
}

// An image that needs no request costs no slot: the delivery goes on to the
// next image with it.
func TestASlotGoesOnToAnImageThatNeedsIt(t *testing.T) {
	for name, leave := range leftovers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, p, asked := paced(t)
				const n = 10
				for range n {
					leave(t, b)
				}
				b.reap(t)
				_, tasks := b.create(t, n)
				for _, task := range tasks {
					if _, err := b.deliver(t, task); err != nil {
						t.Fatal(err)
					}
				}
				if len(asked.all) != n || p.taken != n {
					t.Errorf("%d requests with %d slots, want %d with as many", len(asked.all), p.taken, n)
				}
			})
		})
	}
}

// One delivery does not end any number of images.
func TestADeliveryEndsOnlySoManyImages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, _ := paced(t)
		const n = 40
		_, tasks := b.createFor(t, n, time.Minute)
		time.Sleep(2 * time.Minute)
		for left := n; left > 0; {
			if _, err := b.deliver(t, tasks[0]); err != nil {
				t.Fatal(err)
			}
			j, err := b.record.Get(t.Context(), tasks[0].JobID)
			if err != nil {
				t.Fatal(err)
			}
			if ended := left - j.Progress().Queued; ended < 1 || ended > 16 {
				t.Fatalf("a delivery ended %d images", ended)
			}
			left = j.Progress().Queued
		}
	})
}

// The process dies after any number of writes of a delivery that goes on from
// image to image. Every image is still reached by the tasks that are left, and
// no sweep is needed.
func TestADeliveryThatGoesOnMayDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for writes := range 12 {
			b, _, _ := paced(t)
			j, tasks := b.createFor(t, 3, time.Minute)
			k, more := b.create(t, 3)
			time.Sleep(2 * time.Minute)
			b.record.fail = func(string) error {
				if writes--; writes < 0 {
					return errors.New("the process is dead")
				}
				return nil
			}
			_, _ = b.deliver(t, more[1]) // its answer is never heard, so its task comes again
			b.record.fail = nil
			time.Sleep(2 * time.Minute) // its leases run out
			for _, task := range append(tasks, more...) {
				if _, err := b.deliver(t, task); err != nil {
					t.Fatal(err)
				}
			}
			b.wantStatus(t, j.ID, job.StatusFailed)
			b.wantStatus(t, k.ID, job.StatusSucceeded)
		}
	})
}

func (b *bundle) wantStatus(t *testing.T, id string, want job.Status) {
	t.Helper()
	if j, err := b.record.Get(t.Context(), id); err != nil || j.Status != want {
		t.Errorf("job is %s, %v; want %s: %+v", j.Status, err, want, j.Images)
	}
}
