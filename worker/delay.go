package worker

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// The first and the greatest bound of the wait before the next attempt on an
// image, the next upload of a picture, and the next write to the record.
const (
	attemptBackoff, attemptBackoffMax = 5 * time.Second, 5 * time.Minute
	storeBackoff, storeBackoffMax     = 200 * time.Millisecond, 5 * time.Second
	recordBackoff, recordBackoffMax   = 100 * time.Millisecond, 2 * time.Second
)

const (
	// recordPatience bounds how long a result waits for the record to come
	// back. After the last renewal, the lease always lasts longer than this.
	recordPatience = 30 * time.Second
	// capacityTry is the try whose back-off suits a provider that is short of
	// capacity: up to 40 s, however often. Such an attempt is not counted, so
	// there is no number of tries to go by.
	capacityTry = 4
	// renewAgain is how soon a renewal that failed is repeated.
	renewAgain = 2 * time.Second
)

// backoff returns a random delay up to a bound that doubles with every try:
// full jitter, see
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
func backoff(try int, first, last time.Duration) time.Duration {
	bound := first
	for i := 1; i < try && bound < last; i++ {
		bound *= 2
	}
	return rand.N(min(bound, last)) + 1
}

// retryDelay returns how long an image waits after its attempt-th attempt
// failed, wherever it goes next. It is 0 when a quota is used up: then the lane
// waits, and not the image.
func retryDelay(f *job.Failure, attempt int) time.Duration {
	switch {
	case f.Remedy == job.RemedyRetry:
		return max(f.RetryAfter, backoff(attempt, attemptBackoff, attemptBackoffMax))
	case f.Limit == job.LimitCapacity, f.Limit == job.LimitStorage:
		return max(f.RetryAfter, backoff(capacityTry, attemptBackoff, attemptBackoffMax))
	default:
		return 0
	}
}

// capped returns d, but no longer than until the job's deadline: the delivery
// at that time ends the image.
func capped(d time.Duration, j job.Job) time.Duration {
	return max(0, min(d, time.Until(j.ExpiresAt)))
}

// sleep waits for d or until ctx ends, and reports whether it waited to the
// end.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
