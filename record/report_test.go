package record_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// seconds returns n durations, from n s down to 1 s.
func seconds(n int) []time.Duration {
	var all []time.Duration
	for i := n; i > 0; i-- {
		all = append(all, time.Duration(i)*time.Second)
	}
	return all
}

func TestNewRuns(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]record.Runs{
		0:   {},
		1:   {Pictures: 1, Median: time.Second, P95: time.Second},
		2:   {Pictures: 2, Median: time.Second, P95: 2 * time.Second},
		3:   {Pictures: 3, Median: 2 * time.Second, P95: 3 * time.Second},
		20:  {Pictures: 20, Median: 10 * time.Second, P95: 19 * time.Second},
		200: {Pictures: 200, Median: 100 * time.Second, P95: 190 * time.Second},
	} {
		took := seconds(n)
		if diff := cmp.Diff(want, record.NewRuns(took)); diff != "" {
			t.Errorf("%d pictures (-want +got):\n%s", n, diff)
		}
		if diff := cmp.Diff(seconds(n), took); diff != "" {
			t.Errorf("it changed what it was given (-want +got):\n%s", diff)
		}
	}
}

func TestOutcomesAdd(t *testing.T) {
	t.Parallel()
	var got record.Outcomes
	got.Add("m", job.StatusSucceeded, "", 2, seconds(3))
	got.Add("n", job.StatusSucceeded, "", 1, nil)
	got.Add("m", job.StatusFailed, job.CodeBlocked, 2, nil)
	got.Add("n", job.StatusFailed, job.CodeBlocked, 1, nil)
	got.Add("n", job.StatusFailed, job.CodeInternal, 0, nil)
	got.Add("n", job.StatusCanceled, "", 1, nil)
	want := record.Outcomes{
		Succeeded: 3, Failed: map[job.Code]int{job.CodeBlocked: 3},
		Runs: map[string]record.Runs{"m": {Pictures: 3, Median: 2 * time.Second, P95: 3 * time.Second}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}
