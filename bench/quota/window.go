package main

import "time"

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
// minute.
func share(times []time.Time, rpm int) float64 {
	if len(times) < 2 {
		return 0
	}
	span := times[len(times)-1].Sub(times[0])
	return float64(len(times)-1) / (float64(rpm) * span.Minutes())
}
