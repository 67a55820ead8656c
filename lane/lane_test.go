package lane_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
)

func TestChoose(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	lanes := []lane.Lane{
		{Name: "slow", Model: "m", RPM: 10}, {Name: "fast", Model: "m", RPM: 60},
		{Name: "stopped", Model: "m", RPM: 600, Paused: true, AlsoServes: []string{"gone"}},
		{Name: "other", Model: "n", RPM: 60, AlsoServes: []string{"m", "old"}},
	}
	for name, tt := range map[string]struct {
		states map[string]lane.Load
		model  string
		n      int
		want   map[string]int
	}{
		"by quota":              {nil, "m", 14, map[string]int{"slow": 2, "fast": 12}},
		"what is there already": {map[string]lane.Load{"fast": {Waiting: 120}}, "m", 10, map[string]int{"slow": 10}},
		"closed for an hour":    {map[string]lane.Load{"fast": {Until: now.Add(time.Hour)}}, "m", 10, map[string]int{"slow": 10}},
		"closed and passed":     {map[string]lane.Load{"slow": {Until: now.Add(-time.Hour)}}, "m", 1, map[string]int{"slow": 1}},
		"all closed": {
			map[string]lane.Load{"slow": {Until: now.Add(time.Hour)}, "fast": {Until: now.Add(time.Minute)}},
			"m", 3, map[string]int{"fast": 3},
		},
		"one lane":                         {nil, "n", 2, map[string]int{"other": 2}},
		"by a newer model":                 {nil, "old", 2, map[string]int{"other": 2}},
		"none serves it":                   {nil, "x", 2, nil},
		"the one that serves it is paused": {nil, "gone", 2, nil},
		"paused by hand":                   {map[string]lane.Load{"fast": {Paused: true}}, "m", 5, map[string]int{"slow": 5}},
		"all of the model paused by hand": {
			map[string]lane.Load{"fast": {Paused: true}, "slow": {Paused: true}}, "m", 5, map[string]int{"other": 5},
		},
		"all that serve it paused by hand": {map[string]lane.Load{"other": {Paused: true}}, "old", 5, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got map[string]int
			for _, l := range lane.Choose(lanes, tt.states, tt.model, tt.n, now) {
				if got == nil {
					got = map[string]int{}
				}
				got[l.Name]++
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("images per lane (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClosedFor(t *testing.T) {
	wait := func(l job.Limit, after time.Duration) *job.Failure {
		return &job.Failure{Remedy: job.RemedyWait, Limit: l, RetryAfter: after}
	}
	for name, tt := range map[string]struct {
		failure *job.Failure
		want    time.Duration
	}{
		"failed request": {&job.Failure{Remedy: job.RemedyFail}, 0},
		"failed attempt": {&job.Failure{Remedy: job.RemedyRetry, RetryAfter: time.Minute}, 0},
		"broken":         {&job.Failure{Remedy: job.RemedyStop}, 5 * time.Minute},
		"minute":         {wait(job.LimitMinute, 0), time.Minute},
		"minute, told":   {wait(job.LimitMinute, 34*time.Second), 34 * time.Second},
		"day":            {wait(job.LimitDay, 0), time.Hour},
		"day, told":      {wait(job.LimitDay, 20*time.Hour), 20 * time.Hour},
		"spend cap":      {wait(job.LimitSpend, 0), 10 * time.Minute},
		"capacity":       {wait(job.LimitCapacity, time.Minute), 0},
	} {
		if got := lane.ClosedFor(tt.failure); got != tt.want {
			t.Errorf("%s: closed for %s, want %s", name, got, tt.want)
		}
	}
}

func TestASpendCapClosesAllLanesOfItsAccount(t *testing.T) {
	lanes := []lane.Lane{{Name: "a", Account: "x"}, {Name: "b", Account: "x"}, {Name: "c", Account: "y"}, {Name: "d"}}
	spend := &job.Failure{Remedy: job.RemedyWait, Limit: job.LimitSpend}
	for name, tt := range map[string]struct {
		failure *job.Failure
		on      lane.Lane
		want    []string
	}{
		"spend cap":            {spend, lanes[0], []string{"a", "b"}},
		"account of its own":   {spend, lanes[3], []string{"d"}},
		"quota of the project": {&job.Failure{Remedy: job.RemedyWait, Limit: job.LimitDay}, lanes[0], []string{"a"}},
		"broken key":           {&job.Failure{Remedy: job.RemedyStop}, lanes[0], []string{"a"}},
	} {
		if diff := cmp.Diff(tt.want, lane.Closes(tt.failure, tt.on, lanes)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestBreaker(t *testing.T) {
	var b lane.Breaker
	var got []time.Duration
	for range 11 {
		got = append(got, b.Failed())
	}
	want := []time.Duration{
		0, 0, 0, 0, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute, 5 * time.Minute,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
	b.Succeeded()
	for range 4 {
		if d := b.Failed(); d != 0 {
			t.Errorf("paused for %s after a success and few failures", d)
		}
	}
}
