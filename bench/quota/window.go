package main

import "time"

// mostInMinute is the largest number of times in any 60 s. They are in order.
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

// between is those times that lie from start up to, and without, end.
func between(times []time.Time, start, end time.Time) []time.Time {
	var in []time.Time
	for _, t := range times {
		if !t.Before(start) && t.Before(end) {
			in = append(in, t)
		}
	}
	return in
}

// share is the part of a quota that the times use. The span is the one from
// the first to the last, which it takes one time less than there are: a window
// cut anywhere else would be wrong by up to one request, a tenth of the minute
// at ten a minute.
func share(times []time.Time, rpm int) float64 {
	if len(times) < 2 {
		return 0
	}
	span := times[len(times)-1].Sub(times[0])
	return float64(len(times)-1) / (float64(rpm) * span.Minutes())
}
