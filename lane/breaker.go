package lane

import (
	"sync"
	"time"
)

const (
	// breakerTrips is how many failures in a row open a breaker.
	breakerTrips = 5
	// breakerFirst and breakerLast are the least and the most time that a
	// breaker stays open. The time doubles with each opening in a row.
	breakerFirst = 30 * time.Second
	breakerLast  = 5 * time.Minute
)

// A Breaker tells when a lane fails so often that it should be left alone for a
// while. Each process counts for itself; the pause that follows is shared.
type Breaker struct {
	mu       sync.Mutex
	failures int
	openings int
}

// Failed counts a failure of the provider, and returns for how long the lane
// should be left alone; 0 if it need not be.
func (b *Breaker) Failed() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	if b.failures < breakerTrips {
		return 0
	}
	// The next failure after the pause opens the breaker again at once.
	b.failures = breakerTrips - 1
	d := breakerFirst << min(b.openings, 10)
	b.openings++
	return min(d, breakerLast)
}

// Succeeded forgets the failures.
func (b *Breaker) Succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.openings = 0, 0
}
