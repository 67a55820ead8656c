package dashboard

import (
	"fmt"
	"time"
)

// ago returns how long ago something was. It stays the same for a minute, so that
// pages do.
func ago(d time.Duration) string {
	if d < time.Minute {
		return "just now"
	}
	return span(max(d.Truncate(time.Minute), 90*time.Second)) + " ago"
}

// took returns how long something short took.
func took(d time.Duration) string {
	switch d = max(0, d); {
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	default:
		return span(d)
	}
}

// size returns a number of bytes as people read it.
func size(bytes int64) string {
	const kilo, mega = 1_000, 1_000_000
	if bytes < mega {
		return fmt.Sprintf("%d kB", (bytes+kilo/2)/kilo)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/mega)
}
