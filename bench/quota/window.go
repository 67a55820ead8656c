package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// mostInMinute returns the largest number of times in any 60 s. The times must
// be in order.
func mostInMinute(times []time.Time) int {
	most, first := 0, 0
	for i, t := range times {
		for t.Sub(times[first]) >= minute {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// between returns the times from start to end. It includes start, but not end.
func between(times []time.Time, start, end time.Time) []time.Time {
	var in []time.Time
	for _, t := range times {
		if !t.Before(start) && t.Before(end) {
			in = append(in, t)
		}
	}
	return in
}

// share returns the part of a quota that the times use. It measures from the
// first to the last time, and so counts one time less than there are. Any other
// window would be wrong by up to one request: at ten a minute, a tenth of the
// minute. What lies within a stretch of without does not count, neither the
// times nor the stretch.
func share(times []time.Time, rpm int, without []stretch) float64 {
	if len(times) < 2 {
		return 0
	}
	first, last := times[0], times[len(times)-1]
	span, n := last.Sub(first), len(times)-1
	for _, s := range without {
		if s.start.Before(first) || s.end.After(last) {
			continue // no such time is measured: disturbances end before the window does
		}
		span -= s.end.Sub(s.start)
		n -= len(between(times, s.start, s.end))
	}
	return float64(n) / (float64(rpm) * span.Minutes())
}

// writeTimes writes when requests came and when services stood still, in seconds
// since the first request, one a line. Without a directory it writes nothing.
func writeTimes(dir string, arrived []time.Time, stalls []stretch) error {
	if dir == "" || len(arrived) == 0 {
		return nil
	}
	var text strings.Builder
	for _, at := range arrived {
		fmt.Fprintf(&text, "request %.3f\n", at.Sub(arrived[0]).Seconds())
	}
	for _, s := range stalls {
		fmt.Fprintf(&text, "stall %.3f %.3f\n", s.start.Sub(arrived[0]).Seconds(), s.end.Sub(arrived[0]).Seconds())
	}
	return os.WriteFile(filepath.Join(dir, "times.txt"), []byte(text.String()), 0o600)
}
