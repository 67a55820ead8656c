package cloudtasks

import "time"

// A Clock tells an emulator the time and wakes it. The zero Options use the time
// package itself, which testing/synctest replaces inside its bubbles; ManualClock
// is for tests that cannot run in one, because they use real sockets.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f once, in a goroutine of the clock's choosing, when d has
	// passed. It must not call f before it returns.
	AfterFunc(d time.Duration, f func()) Timer
}

// A Timer is a call that Clock.AfterFunc has planned.
type Timer interface {
	// Stop prevents the call, and reports whether it did.
	Stop() bool
}

// systemClock is the time package.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

// An attentive clock is told when a delivery begins and ends, so that it moves
// on only when nothing is under way.
type attentive interface {
	beginDelivery() (done func())
}

// beginDelivery tells c that a delivery begins, if c wants to know, and returns the
// function that tells it of the end.
func beginDelivery(c Clock) (done func()) {
	if a, ok := c.(attentive); ok {
		return a.beginDelivery()
	}
	return func() {}
}

// A paced clock goes faster than the time that callers and workers live by.
type paced interface {
	fromWall(t time.Time) time.Time
	continueFrom(t time.Time)
}

// wallClock returns the clock of those who talk to an emulator on c: what bounds a
// worker or is read by one goes by it.
func wallClock(c Clock) Clock {
	if _, ok := c.(paced); ok {
		return systemClock{}
	}
	return c
}

// fromWall returns the time on c for a time that a caller named.
func fromWall(c Clock, t time.Time) time.Time {
	if p, ok := c.(paced); ok {
		return p.fromWall(t)
	}
	return t
}
