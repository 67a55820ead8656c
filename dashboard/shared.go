package dashboard

import (
	"context"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// readingLasts is how long what was read is shown, to all who look.
	readingLasts = 2 * time.Second
	// sumsLast is the same of counts and sums, which cost more.
	sumsLast = 30 * time.Second
	// readTimeout bounds a reading.
	readTimeout = 5 * time.Second
)

// shared keeps what was read for a while, by what was asked, for all who look: each
// question is asked once at a time, and never for nobody.
type shared[T any] struct {
	lasts  time.Duration
	flight singleflight.Group

	mu    sync.Mutex
	kept  map[string]kept[T]
	round int // rises with each change by hand: what was read before is not shown after
}

// kept is what was read, and when. A failure is kept as well.
type kept[T any] struct {
	value T
	err   error
	at    time.Time
}

// get returns what read returns, or returned not long ago.
func (s *shared[T]) get(ctx context.Context, key string, read func(context.Context) (T, error)) (T, error) {
	latest, round := s.state(key)
	if latest != nil {
		return latest.value, latest.err
	}
	v, _, _ := s.flight.Do(strconv.Itoa(round)+" "+key, func() (any, error) {
		if latest, now := s.state(key); now == round && latest != nil {
			return *latest, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout) // others wait for it too
		defer cancel()
		value, err := read(ctx)
		return s.keep(key, kept[T]{value, err, time.Now()}, round), nil
	})
	k := v.(kept[T])
	return k.value, k.err
}

func (s *shared[T]) state(key string) (*kept[T], int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, known := s.kept[key]; known && time.Since(k.at) < s.lasts {
		return &k, s.round
	}
	return nil, s.round
}

// keep keeps what was read, unless something changed since it began, and forgets
// what is too old to be shown.
func (s *shared[T]) keep(key string, k kept[T], round int) kept[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.round != round {
		return k
	}
	for other, old := range s.kept {
		if time.Since(old.at) >= s.lasts {
			delete(s.kept, other)
		}
	}
	if s.kept == nil {
		s.kept = make(map[string]kept[T])
	}
	s.kept[key] = k
	return k
}

// forget makes the next reading a new one.
func (s *shared[T]) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = nil
	s.round++
}
