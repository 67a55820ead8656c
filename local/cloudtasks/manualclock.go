package cloudtasks

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// A ManualClock moves only when it is told to, so that hours of a queue pass in
// milliseconds. Between two timers Advance waits until every delivery that is
// under way has been answered or sleeps on this clock: a run gives the same
// result each time, also over real sockets.
type ManualClock struct {
	// Patience is how long, in real time, Advance waits for a delivery that
	// neither ends nor sleeps on this clock, such as one to a worker that hangs.
	// NewManualClock sets it to 100 ms.
	Patience time.Duration

	mu      sync.Mutex
	now     time.Time
	seq     uint64
	timers  timerHeap
	running int           // deliveries under way and not asleep
	quiet   chan struct{} // closed when running falls to 0; then replaced
}

// NewManualClock returns a clock that stands at start.
func NewManualClock(start time.Time) *ManualClock {
	return &ManualClock{Patience: 100 * time.Millisecond, now: start, quiet: make(chan struct{})}
}

// Now returns the time that the clock stands at.
func (c *ManualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc plans a call of f after d. Advance makes the call.
func (c *ManualClock) AfterFunc(d time.Duration, f func()) Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	t := &manualTimer{clock: c, at: c.now.Add(max(d, 0)), seq: c.seq, f: f}
	heap.Push(&c.timers, t)
	return t
}

// Advance moves the clock by d. On the way it makes the planned calls that fall
// due, each at its time, in order.
func (c *ManualClock) Advance(d time.Duration) {
	end := c.Now().Add(d)
	c.settle()
	for {
		f := c.next(end)
		if f == nil {
			return
		}
		f()
		c.settle()
	}
}

// next moves the clock to the first timer that is due by end and returns its call.
// When there is none, it moves to end and returns nil.
func (c *ManualClock) next(end time.Time) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.timers) == 0 || c.timers[0].at.After(end) {
		c.now = end
		return nil
	}
	t := heap.Pop(&c.timers).(*manualTimer)
	if t.at.After(c.now) {
		c.now = t.at
	}
	return t.f
}

// Sleep blocks the handler of a delivery until the clock has moved by d, or until
// ctx is done. Workers simulate slow work with it; nothing else may call it.
func (c *ManualClock) Sleep(ctx context.Context, d time.Duration) error {
	woken := make(chan struct{})
	t := c.AfterFunc(d, func() { c.add(1); close(woken) })
	c.add(-1)
	select {
	case <-woken:
		return nil
	case <-ctx.Done():
		if t.Stop() {
			c.add(1)
		}
		return ctx.Err()
	}
}

func (c *ManualClock) beginDelivery() (done func()) {
	c.add(1)
	return func() { c.add(-1) }
}

func (c *ManualClock) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running += n
	if c.running <= 0 {
		close(c.quiet)
		c.quiet = make(chan struct{})
	}
}

// settle waits until no delivery is awake, for at most Patience.
func (c *ManualClock) settle() {
	limit := time.NewTimer(c.Patience)
	defer limit.Stop()
	for {
		c.mu.Lock()
		running, quiet := c.running, c.quiet
		c.mu.Unlock()
		if running <= 0 {
			return
		}
		select {
		case <-quiet:
		case <-limit.C:
			return
		}
	}
}

type manualTimer struct {
	clock *ManualClock
	at    time.Time
	seq   uint64
	index int // in the heap; -1 when it is out
	f     func()
}

// Stop cancels the call, and reports whether it was still planned.
func (t *manualTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	if t.index < 0 {
		return false
	}
	heap.Remove(&t.clock.timers, t.index)
	return true
}

// timerHeap orders timers by time; those of one instant keep their order.
type timerHeap []*manualTimer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*manualTimer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = -1
	return t
}
