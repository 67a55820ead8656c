package lane_test

import (
	"fmt"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
)

// Each image goes to the lane that will reach it first: the one with the fewest
// minutes of work in front of it. A closed lane counts with the time until it
// opens.
func ExampleChoose() {
	now := time.Date(2026, time.November, 26, 12, 0, 0, 0, time.UTC)
	lanes := []lane.Lane{
		{Name: "large", Model: "banana", RPM: 60},
		{Name: "small", Model: "banana", RPM: 10},
		{Name: "closed", Model: "banana", RPM: 60},
		{Name: "other", Model: "papaya", RPM: 60},
	}
	states := map[string]lane.Load{
		"large":  {Waiting: 27},                      // 0.45 minutes of work
		"small":  {Waiting: 3},                       // 0.3, and a tenth more with each image
		"closed": {Until: now.Add(10 * time.Minute)}, // ten
	}
	for _, l := range lane.Choose(lanes, states, "banana", 4, now) {
		fmt.Println(l.Name)
	}
	// Output:
	// small
	// small
	// large
	// large
}

// A failure says whether its lane is at fault, and so for how long the lane is
// left alone.
func ExampleClosedFor() {
	for _, f := range []*job.Failure{
		{Remedy: job.RemedyFail},  // the request is at fault
		{Remedy: job.RemedyRetry}, // it may pass; a breaker counts such failures in a row
		{Remedy: job.RemedyWait, Limit: job.LimitMinute, RetryAfter: 20 * time.Second},
		{Remedy: job.RemedyWait, Limit: job.LimitMinute}, // the provider does not say
		{Remedy: job.RemedyStop}, // the key is refused
	} {
		fmt.Println(lane.ClosedFor(f))
	}
	// Output:
	// 0s
	// 0s
	// 20s
	// 1m0s
	// 5m0s
}

// Five failures of the provider in a row open a breaker. Each further opening
// in a row lasts twice as long.
func ExampleBreaker() {
	var b lane.Breaker
	for range 6 {
		fmt.Println(b.Failed())
	}
	b.Succeeded()
	fmt.Println(b.Failed())
	// Output:
	// 0s
	// 0s
	// 0s
	// 0s
	// 30s
	// 1m0s
	// 0s
}
