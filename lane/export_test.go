package lane

import "time"

// SetClock sets the clock of the pacer's local share. Redis keeps its own.
func (p *Pacer) SetClock(now func() time.Time) { p.local.now = now }
