package job_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
)

func TestEveryStateAndEvent(t *testing.T) {
	const refused = job.Status("")
	events := []job.Event{job.EventClaim, job.EventSucceed, job.EventFail, job.EventRequeue, job.EventCancel}
	for from, want := range map[job.Status][]job.Status{
		job.StatusQueued: {job.StatusProcessing, refused, job.StatusFailed, refused, job.StatusCanceled},
		job.StatusProcessing: {
			job.StatusProcessing, job.StatusSucceeded, job.StatusFailed, job.StatusQueued, job.StatusCanceled,
		},
		job.StatusSucceeded: {refused, refused, refused, refused, refused},
		job.StatusPartial:   {refused, refused, refused, refused, refused},
		job.StatusFailed:    {refused, refused, refused, refused, refused},
		job.StatusCanceled:  {refused, refused, refused, refused, refused},
	} {
		var got []job.Status
		for i, event := range events {
			next, err := from.Next(event)
			if (err != nil) != (want[i] == refused) {
				t.Errorf("%s on %s: error %v", from, event, err)
			}
			got = append(got, next)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("from %s (-want +got):\n%s", from, diff)
		}
	}
}

func TestAJobsStatusFollowsFromItsImages(t *testing.T) {
	for _, tt := range []struct {
		images  []job.Status
		started bool
		want    job.Status
	}{
		{[]job.Status{job.StatusQueued, job.StatusQueued}, false, job.StatusQueued},
		{[]job.Status{job.StatusQueued}, true, job.StatusProcessing},
		{[]job.Status{job.StatusQueued, job.StatusProcessing}, true, job.StatusProcessing},
		{[]job.Status{job.StatusQueued, job.StatusSucceeded}, true, job.StatusProcessing},
		{[]job.Status{job.StatusQueued, job.StatusCanceled}, false, job.StatusProcessing},
		{[]job.Status{job.StatusSucceeded, job.StatusSucceeded}, true, job.StatusSucceeded},
		{[]job.Status{job.StatusSucceeded, job.StatusFailed}, true, job.StatusPartial},
		{[]job.Status{job.StatusSucceeded, job.StatusCanceled}, true, job.StatusPartial},
		{[]job.Status{job.StatusFailed, job.StatusFailed}, true, job.StatusFailed},
		{[]job.Status{job.StatusFailed, job.StatusCanceled}, true, job.StatusFailed},
		{[]job.Status{job.StatusCanceled, job.StatusCanceled}, true, job.StatusCanceled},
	} {
		var j job.Job
		for _, s := range tt.images {
			j.Images = append(j.Images, job.Image{Status: s})
		}
		if got := j.Progress().Status(tt.started); got != tt.want {
			t.Errorf("%v, started %v: %s, want %s", tt.images, tt.started, got, tt.want)
		}
	}
}

func TestWhichFailuresAreFinal(t *testing.T) {
	const maxAttempts = 4
	for _, tt := range []struct {
		failure job.Failure
		final   []bool // on the first attempt, the second, …
		spends  bool
	}{
		{job.Failure{Remedy: job.RemedyFail}, []bool{true, true, true, true}, true},
		{job.Failure{Remedy: job.RemedyRetry}, []bool{false, false, false, true}, true},
		{job.Failure{Remedy: job.RemedyRetry, Retries: 1}, []bool{false, true, true, true}, true},
		{job.Failure{Remedy: job.RemedyRetry, Retries: 9}, []bool{false, false, false, true}, true},
		{job.Failure{Remedy: job.RemedyWait}, []bool{false, false, false, false}, false},
		{job.Failure{Remedy: job.RemedyStop}, []bool{false, false, false, false}, false},
	} {
		var got []bool
		for attempt := 1; attempt <= maxAttempts; attempt++ {
			got = append(got, tt.failure.Final(attempt, maxAttempts))
		}
		if diff := cmp.Diff(tt.final, got); diff != "" || tt.failure.SpendsAttempt() != tt.spends {
			t.Errorf("%+v: spends %v; final (-want +got):\n%s", tt.failure, tt.failure.SpendsAttempt(), diff)
		}
	}
}

func TestTaskIDsAreStableAndSpread(t *testing.T) {
	task := job.Task{JobID: "0199a5a0-0000-7000-8000-000000000000", Index: 3, Dispatch: 2}
	const want = "-0199a5a0-0000-7000-8000-000000000000-3-2"
	if got := task.ID(); got[8:] != want || got != task.ID() {
		t.Errorf("got %s, want eight hex digits and %s", got, want)
	}
	next := task
	next.Dispatch++
	if task.ID()[:8] == next.ID()[:8] {
		t.Error("sequential tasks have the same prefix")
	}
}

func TestModelsPriceByTheSizeTheyDraw(t *testing.T) {
	m := job.Model{Name: "m", ImageSizes: []string{"1K", "2K"}, Prices: map[string]int64{"1K": 34_000, "2K": 50_000}}
	for size, want := range map[string]int64{"": 34_000, "1K": 34_000, "2K": 50_000, "4K": 0} {
		if got := m.Price(size); got != want {
			t.Errorf("%q costs %d, want %d", size, got, want)
		}
	}
	if unknown := (job.Model{Name: "x"}); !unknown.AllowsSize("4K") || !unknown.AllowsRatio("1:8") || unknown.Price("1K") != 0 {
		t.Error("an unknown model is not left to its provider")
	}
}

func TestModelsAreSlowByTheSizeTheyDraw(t *testing.T) {
	known := job.Model{Name: "m", ImageSizes: []string{"4K", "1K"}, SlowSizes: []string{"4K"}}
	unknown := job.Model{Name: "x", SlowSizes: []string{"4K"}}
	for _, tt := range []struct {
		model job.Model
		size  string
		want  bool
	}{
		{known, "4K", true}, {known, "1K", false}, {known, "", true},
		{unknown, "4K", true}, {unknown, "1K", false}, {unknown, "", false},
	} {
		if got := tt.model.Slow(tt.size); got != tt.want {
			t.Errorf("%s is slow at %q: %v, want %v", tt.model.Name, tt.size, got, tt.want)
		}
	}
}

func TestSeedsOfImagesNeverWrap(t *testing.T) {
	seed := func(n int32) *int32 { return &n }
	for _, tt := range []struct {
		seed  *int32
		index int
		want  *int32
	}{
		{nil, 3, nil},
		{seed(7), 0, seed(7)},
		{seed(-7), 15, seed(8)},
		{seed(math.MaxInt32 - 1), 1, seed(math.MaxInt32)},
		{seed(math.MaxInt32), 0, seed(math.MaxInt32)},
		// Input.Check refuses these, but older jobs may be recorded.
		{seed(math.MaxInt32), 1, seed(0)},
		{seed(math.MaxInt32 - 1), 15, seed(13)},
	} {
		if diff := cmp.Diff(tt.want, job.Input{Seed: tt.seed}.SeedOf(tt.index)); diff != "" {
			t.Errorf("index %d (-want +got):\n%s", tt.index, diff)
		}
	}
}

func TestInputIsChecked(t *testing.T) {
	seed := int32(math.MaxInt32 - 1)
	for want, in := range map[string]job.Input{
		"":                                      {Prompt: "a", Model: "m", Count: 2, Seed: &seed},
		"count is 0: ask for 1 to 16 pictures":  {Prompt: "a", Model: "m"},
		"count is 17: ask for 1 to 16 pictures": {Prompt: "a", Model: "m", Count: 17},
		"prompt is empty: say what to draw":     {Model: "m", Count: 1},
		"model is empty: name one":              {Prompt: "a", Count: 1},
		"seed is 2147483646: with count 3 it must be at most 2147483645, for seed + count - 1": {Prompt: "a", Model: "m", Count: 3, Seed: &seed},
	} {
		got := ""
		if err := in.Check(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
