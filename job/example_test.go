package job_test

import (
	"fmt"

	"github.com/ai-worker/ai-worker/job"
)

// Only images change their state. The table of states says where an event
// leads. A job's status follows from the counts of its images.
func Example() {
	first, err := job.StatusQueued.Next(job.EventClaim) // a delivery took it
	if err != nil {
		panic(err)
	}
	j := job.Job{Images: []job.Image{{Status: first}, {Index: 1, Status: job.StatusQueued}}}
	fmt.Println(j.Progress().Status(true))

	j.Images[0].Status = job.StatusSucceeded
	j.Images[1].Status = job.StatusFailed
	fmt.Println(j.Progress().Status(true))

	_, err = job.StatusSucceeded.Next(job.EventCancel) // what has ended stays as it is
	fmt.Println(err)
	// Output:
	// processing
	// partial
	// job: no transition from "succeeded" on "cancel"
}

// A failure says what to do about it: whether the image may be tried again, and
// whether this attempt counts.
func ExampleFailure() {
	const attempt, maxAttempts = 4, 4
	for _, f := range []*job.Failure{
		{Public: job.Error{Code: job.CodeBlocked}, Remedy: job.RemedyFail},
		{Public: job.Error{Code: job.CodeProviderTimeout}, Remedy: job.RemedyRetry},
		{Public: job.Error{Code: job.CodeQuotaExhausted}, Remedy: job.RemedyWait, Limit: job.LimitDay},
	} {
		fmt.Printf("%-16s final %-5v counts %v\n", f.Public.Code, f.Final(attempt, maxAttempts), f.SpendsAttempt())
	}
	// Output:
	// blocked          final true  counts true
	// provider_timeout final true  counts true
	// quota_exhausted  final false counts false
}

// A task is named after the image's dispatch, so that the queue refuses to
// create it twice. The hash in front keeps names from being sequential.
func ExampleTask_ID() {
	t := job.Task{JobID: "0199a5a0-0000-7000-8000-000000000000", Index: 3, Dispatch: 1, Lane: "default"}
	fmt.Println(t.ID())
	t.Dispatch++
	fmt.Println(t.ID())
	// Output:
	// a0396fd5-0199a5a0-0000-7000-8000-000000000000-3-1
	// f2584eec-0199a5a0-0000-7000-8000-000000000000-3-2
}
