package recordtest

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var hammerTests = []contractTest{
	{"leaves every count exact, and every waiting image its task", hammer},
}

const (
	blows       = 16 // of each hammering goroutine
	hammerLanes = 3
)

// A hammering is many callers at once that do at random everything that can be
// done. None leaves an image to wait for a later time, so that Unheard shows
// what waits.
type hammering struct {
	*fixture

	queue lineup
	mu    sync.Mutex
	ids   []string
}

func hammer(f *fixture) {
	h := &hammering{fixture: f}
	h.newJob()
	runTogether(func(int) {
		for range blows {
			h.strike()
		}
	})
	for n := range hammerLanes {
		f.resume(laneName(n))
	}
	h.wantCounts()
	h.drain()
	h.wantCounts()
}

func laneName(n int) string { return string(rune('a' + n)) }

func anyLane() string { return laneName(rand.IntN(hammerLanes)) }

func (h *hammering) must(what string, err error, allowed ...error) {
	for _, a := range append(allowed, nil) {
		if errors.Is(err, a) {
			return
		}
	}
	h.Errorf("%s: %v", what, err)
}

func (h *hammering) anyID() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ids[rand.IntN(len(h.ids))]
}

func (h *hammering) newJob() {
	s := submission(1 + rand.IntN(4))
	s.Tenant = string(rune('p' + rand.IntN(3)))
	s.Weight = float64(1 + rand.IntN(3))
	if rand.IntN(3) == 0 {
		s.Priority = job.PriorityLow
	}
	for i := range s.Lanes {
		s.Lanes[i] = anyLane()
	}
	j, tasks, err := h.record.Create(h.ctx, s)
	h.must("Create", err)
	checkRules(h.T, j)
	h.queue.push(tasks...)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ids = append(h.ids, s.ID)
}

func (h *hammering) strike() {
	switch n := rand.IntN(40); {
	case n < 8:
		h.newJob()
	case n == 8:
		j, err := h.record.Cancel(h.ctx, h.anyID())
		h.must("Cancel", err)
		checkRules(h.T, j)
	case n == 9:
		p := record.Pause{For: time.Duration(rand.IntN(3)) * time.Millisecond, Broken: rand.IntN(2) == 0, Reason: busy}
		h.must("Pause", h.record.Pause(h.ctx, []string{anyLane(), anyLane()}, p))
	case n == 10:
		_, tasks, err := h.record.Reap(h.ctx, 0, 2)
		h.must("Reap", err)
		h.queue.push(tasks...)
	case n == 11:
		j, err := h.record.Get(h.ctx, h.anyID())
		h.must("Get", err)
		if j.Ahead != nil && *j.Ahead < 0 {
			h.Errorf("%d images are ahead", *j.Ahead)
		}
	case n == 12:
		_, err := h.record.Unsent(h.ctx, 0, 2)
		h.must("Unsent", err)
	default:
		if t, ok := h.queue.pop(); ok {
			h.deliver(t)
		}
	}
}

func (h *hammering) deliver(t job.Task) {
	lease := []time.Duration{never, never, gone}[rand.IntN(3)]
	c, err := h.record.Claim(h.ctx, record.ClaimRequest{Model: model, Task: t, Lease: lease})
	switch {
	case errors.Is(err, record.ErrLanePaused):
		next, err := h.record.Postpone(h.ctx, t, model, at(anyLane()))
		h.must("Postpone", err, record.ErrHeld, record.ErrNothingDue)
		if err == nil {
			h.queue.push(next)
		}
		return
	case err != nil:
		h.must("Claim", err, record.ErrHeld, record.ErrNothingDue)
		return
	}
	checkRules(h.T, c.Job)
	var j job.Job
	var next job.Task
	switch rand.IntN(6) {
	case 0:
		return // the worker dies
	case 1, 2:
		j, next, err = h.record.Requeue(h.ctx, c, record.Requeue{Lane: anyLane(), GiveBack: rand.IntN(2) == 0})
		if err == nil {
			h.queue.push(next)
		}
	case 3:
		j, err = h.record.Fail(h.ctx, c, blocked)
	default:
		j, err = h.record.Succeed(h.ctx, c, stored)
	}
	h.must("the end of a claim", err, record.ErrClaimLost)
	if err == nil {
		checkRules(h.T, j)
	}
}

// wantCounts compares three counts of what waits: that of the lanes, that of
// the tasks of waiting images, and that of the jobs.
func (h *hammering) wantCounts() {
	h.Helper()
	queued := 0
	for _, id := range h.ids {
		j := h.get(id)
		checkRules(h.T, j)
		queued += j.Progress().Queued
	}
	want := map[string]int{}
	for n := range hammerLanes {
		want[laneName(n)] = 0
	}
	held := map[string]bool{}
	for _, t := range h.unheard(gone, plenty) {
		if held[t.ID()] {
			h.Errorf("two images wait for the task %v", t)
		}
		held[t.ID()] = true
		want[t.Lane]++
	}
	h.wantEqual("the images that wait", len(held), queued)
	h.wantWaiting(want)
}

// drain ends all images that wait, by the tasks that they hold.
func (h *hammering) drain() {
	h.Helper()
	for range 2 { // the second time for the images that had a worker
		for _, t := range h.unheard(gone, plenty) {
			h.succeed(h.claim(t, never))
		}
		h.reap(gone, plenty)
	}
	for _, id := range h.ids {
		j := h.cancel(id)
		if p := j.Progress(); p.Queued > 0 || p.Processing > 0 {
			h.Errorf("a canceled job has %+v", p)
		}
	}
}
