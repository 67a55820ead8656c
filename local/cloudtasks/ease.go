package cloudtasks

import (
	"math"
	"time"
)

// An ease is a rate on its way back to full: at the time at it was the share
// from of the full rate, and it doubles after each time double until it is
// whole. A slow-down and a slow start are both eases. The zero ease is the full
// rate.
type ease struct {
	from   float64 // share of the rate, above 0
	at     time.Time
	double time.Duration
}

// factor returns the share of the rate that applies at t, from 0 to 1.
func (e ease) factor(t time.Time) float64 {
	if e.whole() {
		return 1
	}
	return min(1, e.from*math.Exp2(t.Sub(e.at).Seconds()/e.double.Seconds()))
}

// whole reports whether the ease slows nothing.
func (e ease) whole() bool { return e.from <= 0 || e.from >= 1 }

// fullAt returns when the rate is whole again.
func (e ease) fullAt() time.Time {
	if e.whole() {
		return e.at
	}
	return e.at.Add(seconds(e.double.Seconds() * math.Log2(1/e.from)))
}

// between returns how many seconds at full rate the time from a to b is worth.
func (e ease) between(a, b time.Time) float64 {
	if !b.After(a) {
		return 0
	}
	full := e.fullAt()
	if e.whole() || !full.After(a) {
		return b.Sub(a).Seconds()
	}
	slow, fast := b, 0.0
	if b.After(full) {
		slow, fast = full, b.Sub(full).Seconds()
	}
	// The integral of an exponential is its growth times double/ln 2.
	growth := e.factor(slow) - e.factor(a)
	return growth*e.double.Seconds()/math.Ln2 + fast
}

// until returns how long it takes from now to earn the given seconds at full
// rate.
func (e ease) until(now time.Time, need float64) time.Duration {
	full := e.fullAt()
	if e.whole() || !full.After(now) {
		return seconds(need)
	}
	if earned := e.between(now, full); earned < need {
		return full.Sub(now) + seconds(need-earned)
	}
	d := e.double.Seconds()
	return seconds(d * math.Log2(1+need*math.Ln2/(d*e.factor(now))))
}

// seconds converts s to a duration. It rounds up to the nanosecond, so that a
// wait never ends too early.
func seconds(s float64) time.Duration {
	return time.Duration(math.Ceil(s * float64(time.Second)))
}
