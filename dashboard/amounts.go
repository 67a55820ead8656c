package dashboard

import (
	"fmt"
	"strings"
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

// dollars returns an amount of millionths of a US dollar, to the cent or as exactly
// as it is. It returns a dash for nothing.
func dollars(micros int64) string {
	if micros == 0 {
		return "–"
	}
	text := fmt.Sprintf("%d.%06d", micros/1_000_000, micros%1_000_000)
	whole, rest, _ := strings.Cut(text, ".")
	rest = strings.TrimRight(rest, "0")
	for len(rest) < 2 {
		rest += "0"
	}
	return "$" + whole + "." + rest
}

// size returns a number of bytes as people read it.
func size(bytes int64) string {
	const kilo, mega = 1_000, 1_000_000
	if bytes < mega {
		return fmt.Sprintf("%d kB", (bytes+kilo/2)/kilo)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/mega)
}
