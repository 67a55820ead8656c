package cloudtasks

import "time"

// tombstones remember names that were in use and may not be used again for a
// while. All have the same lifetime, so they expire in the order they were made.
type tombstones struct {
	lifetime time.Duration // none are made when it is negative
	ended    map[string]time.Time
	order    []grave
}

type grave struct {
	name string
	at   time.Time
}

func newTombstones(lifetime time.Duration) *tombstones {
	return &tombstones{lifetime: lifetime, ended: make(map[string]time.Time)}
}

// add remembers a name that was in use until at.
func (s *tombstones) add(name string, at time.Time) {
	if s.lifetime < 0 {
		return
	}
	s.ended[name] = at
	s.order = append(s.order, grave{name, at})
}

// remove forgets a name.
func (s *tombstones) remove(name string) { delete(s.ended, name) }

// has reports whether name was in use too recently.
func (s *tombstones) has(name string, now time.Time) bool {
	s.sweep(now)
	_, ok := s.ended[name]
	return ok
}

// sweep forgets the names that are old enough.
func (s *tombstones) sweep(now time.Time) {
	n := 0
	for n < len(s.order) && now.Sub(s.order[n].at) >= s.lifetime {
		if g := s.order[n]; s.ended[g.name].Equal(g.at) {
			delete(s.ended, g.name)
		}
		n++
	}
	s.order = s.order[n:]
}

// remaining returns the names that are still taken, oldest first.
func (s *tombstones) remaining(now time.Time) []grave {
	s.sweep(now)
	return s.order
}
