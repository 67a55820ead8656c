package dashboard

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
)

// number returns a number as people read it, such as 12,345.
func number(n int) string {
	digits := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, digits = "−", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// countOf returns a number and a noun, such as "2 pictures".
func countOf(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

// span returns a duration as people say it. The longer it is, the coarser it is.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 90*time.Second:
		return fmt.Sprintf("%.0f s", max(0, d.Seconds()))
	case d < 90*time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 2*day:
		d = d.Round(time.Minute)
		if m := int(d.Minutes()) % 60; m > 0 {
			return fmt.Sprintf("%d h %d min", int(d.Hours()), m)
		}
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%.0f days", d.Hours()/24)
	}
}

// ago returns how long ago something was. It stays the same for a minute, so that
// pages do.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < 2*time.Minute:
		return "1 min ago"
	}
	return span(d.Truncate(time.Minute)) + " ago"
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

// code returns a text with what stands between backticks as code.
func code(text string) template.HTML {
	var out strings.Builder
	for i, part := range strings.Split(text, "`") {
		if part = template.HTMLEscapeString(part); i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		out.WriteString(part)
	}
	return template.HTML(out.String()) //nolint:gosec // each part is escaped
}

// A moment is a time as a page shows it.
type moment struct {
	At  time.Time
	now time.Time
}

func at(t, now time.Time) *moment { return &moment{At: t, now: now} }

// incomplete returns from when on something is complete, or nil if that is the time that
// was asked for, or less than a minute after it.
func incomplete(since, asked, now time.Time) *moment {
	if since.After(asked.Add(time.Minute)) {
		return at(since, now)
	}
	return nil
}

// Machine returns the time for programs.
func (m moment) Machine() string { return m.At.UTC().Format(time.RFC3339) }

// Clock returns the time for people: without the date if it is today's.
func (m moment) Clock() string {
	if m.At.UTC().Format(time.DateOnly) == m.now.UTC().Format(time.DateOnly) {
		return m.At.UTC().Format("15:04 MST")
	}
	return m.At.UTC().Format("2006-01-02 15:04 MST")
}

// Second returns the time for people, to the second.
func (m moment) Second() string {
	if m.At.UTC().Format(time.DateOnly) == m.now.UTC().Format(time.DateOnly) {
		return m.At.UTC().Format("15:04:05")
	}
	return m.At.UTC().Format("2 Jan 15:04:05")
}

// Distance returns how far from now the time is, such as "3 min ago" or "in 2 h".
func (m moment) Distance() string {
	d := m.At.Sub(m.now)
	if d > 0 {
		return "in " + span(d)
	}
	return span(-d) + " ago"
}
