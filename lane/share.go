package lane

import (
	"math"
	"sync"
	"time"
)

// A share is the part of a lane's quota that an instance may hand out itself
// while it cannot ask Redis. Redis keeps the part free from the share's begin to
// its end.
type share struct {
	of          int64     // in how many the quota is split; 0 for no share
	from, till  time.Time // on this process' clock: Redis' begin is not after from, and its end not before till
	redisFrom   int64     // the begin on Redis' clock, in microseconds
	redisAnswer int64     // when Redis gave the share, on its own clock
}

// shares hands out the slots of this instance's share. A slot is handed out
// only if the time of one whole interval is reserved on either side of it. So
// in no stretch of time there are more of them than what is reserved of it.
type shares struct {
	now func() time.Time

	mu      sync.Mutex
	share   share
	slots   slots
	failing time.Time // since when Redis has not answered; zero while it does
	out     struct {  // slots that were handed out and have not passed
		of   int64
		till time.Time // an interval after the last one
	}
}

// A shareReport is what a question tells Redis of the share: what may still be
// handed out of it, and what was handed out already.
type shareReport struct {
	of, redisFrom int64 // of 0: no more is handed out before Redis has answered
	out           int64
	outFor        time.Duration
}

// report returns what a question has to tell. A share that was not renewed for
// so long that it begins before slots that are handed out now is given up,
// unless it is needed already.
func (s *shares) report() shareReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if now.After(s.share.till) || s.failing.IsZero() && now.After(s.share.from.Add(-longestWait)) {
		s.share = share{redisAnswer: s.share.redisAnswer}
	}
	r := shareReport{of: s.share.of, redisFrom: s.share.redisFrom}
	if s.out.till.After(now) {
		r.out, r.outFor = s.out.of, s.out.till.Sub(now)
	}
	return r
}

// renew takes over the share of an answer, unless a later answer came before.
func (s *shares) renew(next share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = time.Time{}
	if next.redisAnswer > s.share.redisAnswer {
		s.share = next
	}
}

// leave gives the share up for good. It reports whether Redis knows of this
// instance.
func (s *shares) leave() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.share.redisAnswer > 0
	s.share = share{redisAnswer: math.MaxInt64}
	return known
}

// failed notes that Redis does not answer, and returns for how long that has
// been so.
func (s *shares) failed() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing.IsZero() {
		s.failing = s.now()
	}
	return s.now().Sub(s.failing)
}

// take takes the next slot of the share if there is one within patience. ok is
// false if the share has not begun, or ends before its next slot.
func (s *shares) take(rpm int, patience time.Duration) (at time.Time, taken, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	interval := shareInterval(rpm, s.share.of)
	if interval == 0 || s.now().Before(s.share.from) {
		return time.Time{}, false, false
	}
	s.slots.notBefore(s.share.from.Add(interval))
	at, taken = s.slots.take(interval, min(patience, s.share.till.Add(-interval).Sub(s.now())))
	if taken {
		if s.out.till.Before(s.now()) {
			s.out.of = s.share.of
		}
		s.out.of, s.out.till = min(s.out.of, s.share.of), at.Add(interval)
	}
	return at, taken, taken || at.Add(interval).Before(s.share.till)
}

// shareInterval returns the time between two slots of a share, or 0 if it is too
// small for any. A share leaves one request a minute unused, because n evenly
// spaced slots may lie in the time of n-1 intervals.
func shareInterval(rpm int, of int64) time.Duration {
	if of == 0 {
		return 0
	}
	perMinute := float64(rpm)*(1-headroom)/float64(of) - 1
	if perMinute <= 0 {
		return 0
	}
	return time.Duration(float64(time.Minute) / perMinute)
}
