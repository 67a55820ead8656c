package cloudtasks

import (
	"math"
	"sync"
	"time"
)

// A FastClock goes faster or slower than the time package, so that schedules, rates
// and back-offs of hours pass in minutes. Workers take as long as they take:
// dispatch deadlines and the times in tokens stay those of the time package. A
// schedule time is as far away on this clock as it is for its caller.
type FastClock struct {
	speed float64

	mu     sync.Mutex
	origin time.Time // on this clock
	start  time.Time // of the time package, at origin
}

// NewFastClock returns a clock that starts now and goes speed times as fast as the
// time package. It panics unless speed is above 0.
func NewFastClock(speed float64) *FastClock {
	if !(speed > 0) || math.IsInf(speed, 0) {
		panic("cloudtasks: the speed of a clock must be above 0")
	}
	now := time.Now()
	return &FastClock{speed: speed, origin: now.Round(0), start: now}
}

// Now returns the time on this clock.
func (c *FastClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.origin.Add(time.Duration(float64(time.Since(c.start)) * c.speed))
}

// AfterFunc calls f when d has passed on this clock.
func (c *FastClock) AfterFunc(d time.Duration, f func()) Timer {
	wait := math.Ceil(float64(d) / c.speed)
	return time.AfterFunc(time.Duration(min(wait, float64(maxTimer))), f)
}

// maxTimer is longer than any task lives. Whoever is woken too early looks at the
// clock again.
const maxTimer = 100 * 24 * time.Hour

// fromWall returns the time on this clock that is as far away as t is from the time
// package's now.
func (c *FastClock) fromWall(t time.Time) time.Time { return c.Now().Add(time.Until(t)) }

// continueFrom sets the clock to t if it is behind: the emulator that kept its state
// may have been ahead of the time package.
func (c *FastClock) continueFrom(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.origin.Before(t) {
		c.origin, c.start = t, time.Now()
	}
}
