package worker_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/worker"
)

// draining returns a bundle, and the function that tells its process to end.
// It is for a bubble of testing/synctest.
func draining(t *testing.T) (*bundle, func()) {
	t.Helper()
	b, _, _ := paced(t)
	told := make(chan struct{})
	b.config.Draining = told
	for i := range b.config.Lanes {
		b.config.Lanes[i].Pacer = b.pacer
	}
	b.start(b.config)
	b.generator.answer = func(context.Context) (job.Picture, error) { return b.picture, nil }
	return b, sync.OnceFunc(func() { close(told) })
}

// Nothing was claimed yet, so nothing is from then on. A delivery that waits
// gives its image a new task; if the record does not answer, its task comes
// again. So does that of one that has not begun.
func TestADeliveryThatWaitsEndsOnceTheProcessIsToldTo(t *testing.T) {
	for name, tt := range map[string]struct {
		before, slot time.Duration
		away         bool // the record
		want         worker.Verdict
		put          int
	}{
		"while it waits for its slot":            {before: 2 * time.Second, slot: 10 * time.Second, want: worker.VerdictDone, put: 1},
		"while it waits, and the record is away": {before: 2 * time.Second, slot: 10 * time.Second, away: true, want: worker.VerdictAgain},
		"as it begins":                           {want: worker.VerdictAgain},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, tell := draining(t)
				b.pacer.wait = tt.slot
				j, tasks := b.create(t, 1)
				if tt.away {
					b.record.fail = func(string) error { return errors.New("away") }
				}
				began := time.Now()
				if tt.before > 0 {
					time.AfterFunc(tt.before, tell)
				} else {
					tell()
				}
				if verdict, err := b.deliver(t, tasks[0]); verdict != tt.want || err != nil {
					t.Errorf("got %v, %v; want %v", verdict, err, tt.want)
				}
				if len(b.router.tasks) != tt.put {
					t.Errorf("%d tasks put, want %d", len(b.router.tasks), tt.put)
				}
				b.record.fail = nil
				if took := time.Since(began); took != tt.before {
					t.Errorf("it ended after %s, want %s", took, tt.before)
				}
				b.want(t, j.ID, job.Image{Status: job.StatusQueued})
			})
		})
	}
}

// An image that was claimed, and not asked for yet, goes back to its queue at
// once, and its attempt does not count.
func TestAClaimedImageIsPutBackOnceTheProcessIsToldToEnd(t *testing.T) {
	for name, prepare := range map[string]func(b *bundle, tell func()){
		"during the claim": func(b *bundle, tell func()) {
			b.record.fail = func(string) error { tell(); return nil }
		},
		"while it looks for the input picture": func(b *bundle, tell func()) { b.images.onGet = tell },
		"while it waits for another slot": func(b *bundle, tell func()) {
			b.images.onGet = func() {
				time.Sleep(time.Second)
				b.pacer.wait = 10 * time.Second
				time.AfterFunc(time.Second, tell)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, tell := draining(t)
				prepare(b, tell)
				j, tasks := b.create(t, 1)
				began := time.Now()
				if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictDone || err != nil {
					t.Errorf("got %v, %v", verdict, err)
				}
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("it ended after %s", took)
				}
				b.want(t, j.ID, job.Image{Status: job.StatusQueued})
				if at, put := b.router.tasks[job.Task{JobID: j.ID, Dispatch: 2, Lane: "a"}]; !put || !at.IsZero() {
					t.Errorf("next task put: %v, for %v; want one for now", put, at)
				}
				if n := len(b.generator.requests); n > 0 {
					t.Errorf("%d requests, want none", n)
				}
			})
		})
	}
}

// What was asked for goes on. No other image is claimed after it.
func TestARequestGoesOnOnceTheProcessIsToldToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, tell := draining(t)
		b.generator.answer = func(context.Context) (job.Picture, error) {
			tell()
			time.Sleep(5 * time.Second)
			return b.picture, nil
		}
		j, tasks := b.create(t, 1)
		if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictDone || err != nil {
			t.Errorf("got %v, %v", verdict, err)
		}
		b.wantStatus(t, j.ID, job.StatusSucceeded)
	})
}

func TestADeliveryDoesNotGoOnOnceTheProcessIsToldToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, tell := draining(t)
		j, tasks := b.createFor(t, 1, time.Minute)
		next, _ := b.create(t, 1)
		time.Sleep(2 * time.Minute)
		b.record.fail = func(method string) error {
			if method == "Fail" {
				tell()
			}
			return nil
		}
		if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictDone || err != nil {
			t.Errorf("got %v, %v", verdict, err)
		}
		b.wantStatus(t, j.ID, job.StatusFailed)
		b.want(t, next.ID, job.Image{Status: job.StatusQueued})
	})
}
