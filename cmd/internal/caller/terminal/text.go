package terminal

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// Clean returns text on one line, without what a terminal could take for a command
// or could show in another order.
func Clean(text string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		default:
			return r
		}
	}, text)), " ")
}

// Cut returns the beginning of text that fits into some columns.
func Cut(text string, columns int) string {
	if columns <= 0 {
		return ""
	}
	return ansi.Truncate(text, columns, "…")
}

// Duration returns a time for people: 45s, 12m, 3h, 2d.
func Duration(d time.Duration) string {
	switch d = max(0, d); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 10*time.Minute:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours())/24)
	}
}

// Money returns an amount in US dollars, or ? if it is not known.
func Money(usd *float64) string {
	if usd == nil {
		return "?"
	}
	return "$" + strconv.FormatFloat(*usd, 'f', -1, 64)
}

// Bytes returns a size for people.
func Bytes(n int64) string {
	const kilo = 1000
	switch {
	case n < kilo:
		return fmt.Sprintf("%d B", n)
	case n < kilo*kilo:
		return fmt.Sprintf("%d kB", n/kilo)
	default:
		return fmt.Sprintf("%.1f MB", float64(n)/kilo/kilo)
	}
}

// Count returns a number of pictures for people.
func Count(n int) string {
	if n == 1 {
		return "1 picture"
	}
	return fmt.Sprintf("%d pictures", n)
}
