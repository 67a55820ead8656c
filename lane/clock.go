package lane

import (
	"sync"
	"time"
)

// A remoteClock is what this process knows of Redis' clock. Times on that are in
// microseconds.
type remoteClock struct {
	mu              sync.Mutex
	showed          int64 // some time between asked and answered; 0 if nothing is known
	asked, answered time.Time
	slot            int64 // the latest slot that Redis gave
}

// note notes what the clock showed between a question and its answer.
func (c *remoteClock) note(showed int64, asked, answered time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answered.After(c.answered) {
		c.showed, c.asked, c.answered = showed, asked, answered
	}
}

// noteSlot notes a slot that Redis gave.
func (c *remoteClock) noteSlot(slot int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slot = max(c.slot, slot)
}

// lastSlot returns the latest slot that Redis gave, or 0.
func (c *remoteClock) lastSlot() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.slot
}

// atMost returns a time on the clock, too late by no more than the last
// answer took, or 0 if nothing is known of the clock.
func (c *remoteClock) atMost(t time.Time) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.showed == 0 {
		return 0
	}
	return c.showed + t.Sub(c.asked).Microseconds()
}

// atLeast returns a time on the clock, too early by no more than the last
// answer took, or 0 if nothing is known of the clock.
func (c *remoteClock) atLeast(t time.Time) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.showed == 0 {
		return 0
	}
	return c.showed + t.Sub(c.answered).Microseconds()
}
