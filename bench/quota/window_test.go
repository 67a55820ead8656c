package main

import (
	"math"
	"testing"
	"time"
)

// every returns n times, one each interval.
func every(interval time.Duration, n int) []time.Time {
	times := make([]time.Time, n)
	for i := range times {
		times[i] = time.Unix(0, 0).Add(time.Duration(i) * interval)
	}
	return times
}

func TestMostInMinute(t *testing.T) {
	for _, tt := range []struct {
		name  string
		times []time.Time
		want  int
	}{
		{"none", nil, 0},
		{"one a minute", every(time.Minute, 5), 1},
		{"one a second", every(time.Second, 200), 60},
		{"a hair faster", every(time.Second-time.Nanosecond, 200), 61},
		{"a burst at the end", append(every(time.Minute, 5), every(time.Minute, 5)[4], every(time.Minute, 5)[4]), 3},
	} {
		if got := mostInMinute(tt.times); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestShare(t *testing.T) {
	for _, tt := range []struct {
		interval time.Duration
		n, rpm   int
		want     float64
	}{
		{6 * time.Second, 31, 10, 1},
		{12 * time.Second, 4, 10, 0.5},
		{time.Second, 1, 60, 0},
	} {
		if got := share(every(tt.interval, tt.n), tt.rpm, nil); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%d times every %s of %d a minute: %v, want %v", tt.n, tt.interval, tt.rpm, got, tt.want)
		}
	}
}

// While a service stands still, neither the time nor what comes in it counts.
func TestShareLeavesStallsOut(t *testing.T) {
	times := append(every(time.Second, 11), time.Unix(17, 0), time.Unix(18, 0)) // 60 a minute, none for 6 s
	stalls := []stretch{{time.Unix(10, 5e8), time.Unix(16, 5e8)}}
	if got := share(times, 60, stalls); math.Abs(got-1) > 1e-9 {
		t.Errorf("got %v, want 1", got)
	}
}

// The quota holds for any 60 s, and a refused request uses none of it.
func TestQuotaGeminiRefusesTheOneTooMany(t *testing.T) {
	now := time.Unix(0, 0)
	g := &quotaGemini{rpm: 3, now: func() time.Time { return now }}
	for _, tt := range []struct {
		after time.Duration // since the request before
		wait  time.Duration
	}{
		{0, 0},
		{20 * time.Second, 0},
		{20 * time.Second, 0},
		{time.Second, 19 * time.Second},
		{19*time.Second - 1, 1},
		{1, 0},
		{19 * time.Second, time.Second},
		{time.Second, 0},
	} {
		now = now.Add(tt.after)
		if got := g.arrive(); got != tt.wait {
			t.Errorf("at %s: wait %s, want %s", now.Sub(time.Unix(0, 0)), got, tt.wait)
		}
	}
	if arrived, admitted, _ := g.seen(); len(arrived) != 8 || len(admitted) != 5 {
		t.Errorf("%d arrived, %d admitted; want 8 and 5", len(arrived), len(admitted))
	}
}
