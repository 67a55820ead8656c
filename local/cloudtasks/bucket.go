package cloudtasks

import (
	"math"
	"time"
)

// A bucket is a queue's token bucket, as documented: each dispatch, first attempt
// or retry, takes one token; tokens come back at the queue's rate, and as many as
// the burst size are kept.
type bucket struct {
	rate   float64 // tokens a second; any fraction above 0
	burst  float64
	tokens float64
	at     time.Time // when tokens was counted
	ease   ease
}

// burstSize returns the output-only max_burst_size of a rate.
func burstSize(rate float64) int32 {
	return int32(max(minBurst, math.Floor(rate*burstPerRate)))
}

// newBucket returns a full bucket.
func newBucket(rate float64, now time.Time) bucket {
	b := bucket{rate: rate, burst: float64(burstSize(rate)), at: now}
	b.tokens = b.burst
	return b
}

// setRate changes the rate from now on. Tokens earned so far are kept, up to the
// new size.
func (b *bucket) setRate(rate float64, now time.Time) {
	b.refill(now)
	b.rate, b.burst = rate, float64(burstSize(rate))
	b.tokens = min(b.tokens, b.size(now))
}

// setEase slows the bucket down. It drops all but one of the saved tokens too: a
// burst would undo the slow-down.
func (b *bucket) setEase(e ease, now time.Time) {
	b.refill(now)
	b.ease = e
	b.tokens = min(b.tokens, 1)
}

// take takes a token and returns 0, or returns how long it is until there is one.
func (b *bucket) take(now time.Time) time.Duration {
	b.refill(now)
	if b.tokens >= 1-burstSlack {
		b.tokens--
		return 0
	}
	return max(1, b.ease.until(now, (1-b.tokens)/b.rate))
}

func (b *bucket) refill(now time.Time) {
	if !now.After(b.at) {
		return
	}
	earned := b.rate * b.ease.between(b.at, now)
	b.tokens = min(b.tokens+earned, b.size(now))
	b.at = now
}

// size returns how many tokens the bucket can hold now.
func (b *bucket) size(now time.Time) float64 {
	return max(1, b.burst*b.ease.factor(now))
}
