package lane

import (
	"sync"
	"time"
)

// slots hands out evenly spaced slots of one process: the generic cell rate
// algorithm without a burst. Each caller gets the next slot, one interval after
// the one before, or at once if that lies in the past.
type slots struct {
	now func() time.Time

	mu    sync.Mutex
	next  time.Time // the earliest time of the next slot
	later time.Time // the next time that is given to a caller who must come back
	own   time.Time // an interval after the last slot that was handed out here, and not noted by notBefore
}

// take takes the next slot if it comes within patience, and returns its time.
// Otherwise it takes none, and returns when to ask again: a different time for
// each caller, at which there should be a slot.
func (s *slots) take(interval, patience time.Duration) (at time.Time, taken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.next = latest(s.next, now)
	if at = s.next; at.Sub(now) <= patience {
		s.next = at.Add(interval)
		s.own = s.next
		return at, true
	}
	at = latest(s.later, s.next)
	s.later = at.Add(interval)
	return at, false
}

// notBefore makes the next slot come at t or later.
func (s *slots) notBefore(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = latest(s.next, t)
}

// ahead returns how long it is until the next slot, at least 0.
func (s *slots) ahead() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(0, s.next.Sub(s.now()))
}

// owes reports whether slots that were handed out here have not passed.
func (s *slots) owes() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.own.After(s.now())
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
