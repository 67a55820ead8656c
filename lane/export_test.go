package lane

import "time"

// SetClock sets the clock of the pacer. Redis keeps its own.
func (p *Pacer) SetClock(now func() time.Time) {
	p.local.now, p.shares.now, p.shares.slots.now = now, now, now
}

// SetRedis sets the pacer's way to Redis.
func (p *Pacer) SetRedis(r doer) { p.redis = r }

// SharesLast is how long a share lasts, and Quiet how long an instance must have
// been silent at least before it begins.
const (
	SharesLast = valid
	Quiet      = quiet
)
