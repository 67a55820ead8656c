package webhook

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Schedule has the waits between the tries of one webhook: the first is the
// wait after the first try.
type Schedule []time.Duration

// DefaultSchedule returns the schedule that Standard Webhooks gives as its
// example: ten tries, the last 75 hours and 35 minutes after the first. See
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#deliverability-and-reliability
func DefaultSchedule() Schedule {
	return Schedule{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute,
		2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

const (
	// jitter is the part of a wait by which it is made longer or shorter at
	// most, so that what failed together does not come back together.
	jitter = 10 // per cent
	// maxRetryAfter bounds what a receiver can ask for by Retry-After. A wait
	// that is longer than the longest of the schedule would only make it forget.
	maxRetryAfter = 24 * time.Hour
)

// After returns how long after the n-th try of a round the next one is due, at
// least as long as the receiver asked for. It reports false if the n-th is the
// last.
func (s Schedule) After(n int, asked time.Duration) (wait time.Duration, ok bool) {
	if n < 1 || n > len(s) {
		return 0, false
	}
	step := s[n-1]
	wait = step - share(step) + rand.N(2*share(step)+1)
	if asked > 0 {
		wait = max(wait, asked+rand.N(share(asked)+1))
	}
	return wait, true
}

// share returns the part of a wait that jitter may change.
func share(wait time.Duration) time.Duration { return wait * jitter / 100 }

// retryAfter returns what a receiver asks for with Retry-After, in seconds or as
// a date, within 0 and maxRetryAfter. It returns 0 for none, and for one that
// cannot be read.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, at.Sub(now)), maxRetryAfter)
	}
	return 0
}
