package worker_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/worker"
)

// evenPacer spaces slots evenly, as the pacer of a lane does.
type evenPacer struct {
	interval time.Duration

	mu    sync.Mutex
	next  time.Time
	taken int

	returned []time.Time
}

func (p *evenPacer) Take(_ context.Context, patience time.Duration) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.next
	if now := time.Now(); at.Before(now) {
		at = now
	}
	if time.Until(at) > patience {
		return at, false
	}
	p.next = at.Add(p.interval)
	p.taken++
	return at, true
}

func (p *evenPacer) Return(_ context.Context, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.returned = append(p.returned, at)
}

// paced returns a bundle whose lanes have a quota of 60 requests a minute, and
// the times at which the model is asked. It is for a bubble of
// testing/synctest.
func paced(t *testing.T) (*bundle, *evenPacer, *times) {
	t.Helper()
	b, asked := setup(t), &times{}
	p := &evenPacer{interval: time.Minute * 100 / (60 * 99)} // one per cent is left over
	for i := range b.config.Lanes {
		b.config.Lanes[i].Pacer = p
	}
	b.config.Limits = worker.DefaultLimits()
	b.start(b.config)
	b.generator.answer = func(context.Context) (job.Picture, error) {
		asked.note()
		time.Sleep(8 * time.Second)
		return b.picture, nil
	}
	return b, p, asked
}

// times are the times at which something happened.
type times struct {
	mu  sync.Mutex
	all []time.Time
}

func (s *times) note() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, time.Now())
}

// most returns the greatest number of times within a window.
func (s *times) most(window time.Duration) int {
	most, first := 0, 0
	for i, at := range s.all {
		for at.Sub(s.all[first]) >= window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// Whatever stalls between the slot and the request, no minute sees more
// requests than the quota allows.
func TestAStallDoesNotCrossTheQuota(t *testing.T) {
	for name, stalled := range map[string]func(b *bundle, stall func()){
		"claim": func(b *bundle, stall func()) {
			b.record.fail = func(method string) error {
				if method == "Claim" {
					stall()
				}
				return nil
			}
		},
		"input pictures": func(b *bundle, stall func()) { b.images.onGet = stall },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, p, asked := paced(t)
				from := time.Now().Add(70 * time.Second)
				stalled(b, func() {
					if now := time.Now(); !now.Before(from) && now.Before(from.Add(6*time.Second)) {
						time.Sleep(time.Until(from.Add(6 * time.Second)))
					}
				})
				const n = 150
				var wg sync.WaitGroup
				for range n {
					_, tasks := b.create(t, 1)
					wg.Go(func() {
						if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictDone || err != nil {
							t.Errorf("got %v, %v", verdict, err)
						}
					})
					time.Sleep(p.interval)
				}
				wg.Wait()
				if got := len(asked.all); got != n {
					t.Errorf("%d requests for %d deliveries", got, n)
				}
				if got := asked.most(time.Minute); got > 60 {
					t.Errorf("%d requests in a minute, want at most 60", got)
				}
			})
		})
	}
}

// A delivery that waits for its slot while the process is told to end gives the
// slot back.
func TestDeliverGivesItsSlotBackOnceTheProcessIsToldToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, p, asked := paced(t)
		draining := make(chan struct{})
		b.config.Draining = draining
		b.start(b.config)
		slot := time.Now().Add(20 * time.Second)
		p.next = slot
		time.AfterFunc(time.Second, func() { close(draining) })
		_, tasks := b.create(t, 1)
		if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictDone || err != nil {
			t.Errorf("got %v, %v", verdict, err)
		}
		if diff := cmp.Diff([]time.Time{slot}, p.returned); diff != "" || len(asked.all) > 0 {
			t.Errorf("%d requests; slots given back (-want +got):\n%s", len(asked.all), diff)
		}
	})
}

// awayPacer has a slot from some time on. Before that it has callers ask again
// after 3 s.
type awayPacer struct{ back time.Time }

func (p awayPacer) Take(context.Context, time.Duration) (time.Time, bool) {
	now := time.Now()
	if now.Before(p.back) {
		return now.Add(3 * time.Second), false
	}
	return now, true
}

func (p awayPacer) Return(context.Context, time.Time) {}

// While nobody knows when the next slot is, a delivery waits and asks again, and
// its task is not replaced. Its patience is as for a slot. It ends at once when
// the process is told to.
func TestDeliverAsksAgainForASlot(t *testing.T) {
	for name, tt := range map[string]struct {
		away, drain time.Duration
		want        worker.Verdict
		took        time.Duration
		requests    int
		put         int
	}{
		"a short outage":       {away: 10 * time.Second, want: worker.VerdictDone, took: 20 * time.Second, requests: 1},
		"longer than patience": {away: time.Minute, want: worker.VerdictDone, took: 27 * time.Second, put: 1},
		"told to end":          {away: time.Minute, drain: 4 * time.Second, want: worker.VerdictDone, took: 4 * time.Second, put: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, _, asked := paced(t)
				began, draining := time.Now(), make(chan struct{})
				b.config.Lanes[0].Pacer = awayPacer{began.Add(tt.away)}
				b.config.Draining = draining
				b.start(b.config)
				if tt.drain > 0 {
					time.AfterFunc(tt.drain, func() { close(draining) })
				}
				_, tasks := b.create(t, 1)
				verdict, err := b.deliver(t, tasks[0])
				if verdict != tt.want || err != nil {
					t.Errorf("got %v, %v; want %v", verdict, err, tt.want)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("took %s, want %s", took, tt.took)
				}
				if len(asked.all) != tt.requests || len(b.router.tasks) != tt.put {
					t.Errorf("%d requests, %d tasks put; want %d and %d", len(asked.all), len(b.router.tasks), tt.requests, tt.put)
				}
			})
		})
	}
}

// The slot was missed, and the next one cannot be waited for. The image waits
// for that one on its queue, and its attempt does not count.
func TestDeliverGivesBackWhatMissedItsSlot(t *testing.T) {
	for name, tt := range map[string]struct{ stall, next time.Duration }{
		"further away than patience":         {stall: 6 * time.Second, next: 45 * time.Second},
		"not enough left of the delivery":    {stall: 5*time.Minute + 50*time.Second, next: 20 * time.Second},
		"nothing at all left for the answer": {stall: 7 * time.Minute, next: 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, _, asked := paced(t)
				b.config.Lanes[0].Pacer = b.pacer
				b.start(b.config)
				b.images.onGet = func() {
					time.Sleep(tt.stall)
					b.pacer.wait = tt.next
				}
				j, tasks := b.create(t, 1)
				if verdict, err := b.deliver(t, tasks[0]); verdict != worker.VerdictDone || err != nil {
					t.Fatalf("got %v, %v", verdict, err)
				}
				b.want(t, j.ID, job.Image{Status: job.StatusQueued})
				at, put := b.router.tasks[job.Task{JobID: j.ID, Dispatch: 2, Lane: "a"}]
				if want := time.Now().Add(tt.next); !put || !at.Equal(want) {
					t.Errorf("next task put: %v, in %s; want %s", put, time.Until(at), tt.next)
				}
				if len(asked.all) > 0 {
					t.Errorf("%d requests, want none", len(asked.all))
				}
			})
		})
	}
}
