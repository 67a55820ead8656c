package snapshot

import "time"

// NewMissed returns an empty memory of at most limit bytes.
func NewMissed(limit int) *missed { return newMissed(limit) }

// Remember calls remember.
func (m *missed) Remember(s Snapshot) { m.remember(s) }

// Take calls take.
func (m *missed) Take() (Snapshot, bool) { return m.take() }

// An Opening is a lane that sends RPM requests a minute from a time on.
type Opening struct {
	At  time.Time
	RPM int
}

// SentBy calls sentBy.
func SentBy(n int, lanes ...Opening) time.Time {
	var openings []opening
	for _, l := range lanes {
		openings = append(openings, opening{at: l.At, rpm: l.RPM})
	}
	return sentBy(n, openings)
}

// StopTicks keeps a watch from looking at its job by the clock.
func (w *Watch) StopTicks() { w.ticks.Stop() }
