package sweep

import "time"

// SetClock sets the clock by which stored objects are past retention.
func (s *Sweeper) SetClock(now func() time.Time) { s.now = now }
