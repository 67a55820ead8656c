package lane

import "time"

// SetClock gives the pacer's local share a clock of the test's. Redis keeps its
// own.
func (p *Pacer) SetClock(now func() time.Time) { p.local.now = now }
