package record

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// A Reporter tells how the work is going, for people and alerts. The cost of a
// call does not grow with how much waits or how much has ended; that of Models
// grows with how many tenants there are. Times are told as how long ago they
// were, by the record's clock.
type Reporter interface {
	// Backlog returns what waits now. A task counts as unsent if it was handed
	// out at least unsent ago and is not known to be on a queue.
	Backlog(ctx context.Context, unsent time.Duration) (Backlog, error)
	// Models returns what waits of each model, by its name. It has no model of
	// which nothing waits.
	Models(ctx context.Context) ([]ModelState, error)
	// Outcomes returns what came of the jobs that ended within since, or of the
	// latest MaxOutcomes of them.
	Outcomes(ctx context.Context, since time.Duration) (Outcomes, error)
}

const (
	// MaxOutcomes is how many jobs Outcomes looks at, at most.
	MaxOutcomes = 1000
	// MaxRuns is how many pictures of a model Outcomes measures, at most.
	MaxRuns = 200
	// RunsSince is how far back Outcomes measures pictures, unless its since is
	// longer.
	RunsSince = 24 * time.Hour
	// MaxUnsent is how many unsent tasks of a kind Backlog counts, at most.
	MaxUnsent = 1000
)

// A Backlog is what waits and what is worked on.
type Backlog struct {
	Waiting    int // queued images, parked ones included
	Parked     int // of these, those that wait for a lane
	Held       int // of these, those that wait for room in a budget
	Processing int // images that a delivery works on, or worked on when it died
	Unsent     int // queued images whose task is not known to be on a queue, up to MaxUnsent
	Untold     int // waiting webhooks whose task is not known to be on the queue, up to MaxUnsent

	// Waits is how long the oldest queued image has waited, counted from the
	// recording of its job; 0 if none waits.
	Waits time.Duration
	// Idle is for how long no image has started or ended. It is known as far as
	// the images at work, the latest job that ended, and the oldest open jobs
	// tell. It is never longer than Waits.
	Idle time.Duration
}

// A ModelState is what waits of one model.
type ModelState struct {
	Model   string // that images are queued under
	Waiting int    // queued images, parked ones included
	Parked  bool   // some of them wait for a lane
}

// Outcomes are what came of the work of late. They leave out canceled images,
// and images of jobs that have not ended.
type Outcomes struct {
	Succeeded int
	Failed    map[job.Code]int // nil if none did
	Runs      map[string]Runs  // by model; nil if there is no picture to measure
}

// Runs tell how long pictures took, from the claim until they were recorded:
// the model's work and the upload.
type Runs struct {
	Pictures    int // how many were measured
	Median, P95 time.Duration
}

// NewRuns returns the runs of pictures that took so long, in whatever order.
func NewRuns(took []time.Duration) Runs {
	if len(took) == 0 {
		return Runs{}
	}
	sorted := slices.Sorted(slices.Values(took))
	rank := func(share float64) time.Duration { // the nearest rank
		return sorted[int(math.Ceil(share*float64(len(sorted))))-1]
	}
	return Runs{Pictures: len(sorted), Median: rank(0.5), P95: rank(0.95)}
}

// Add counts n images of a model that ended in a state. took is how long the
// succeeded ones of the model took.
func (o *Outcomes) Add(model string, to job.Status, code job.Code, n int, took []time.Duration) {
	switch {
	case to == job.StatusSucceeded:
		o.Succeeded += n
		if len(took) > 0 {
			if o.Runs == nil {
				o.Runs = make(map[string]Runs)
			}
			o.Runs[model] = NewRuns(took)
		}
	case to == job.StatusFailed && n > 0:
		if o.Failed == nil {
			o.Failed = make(map[job.Code]int)
		}
		o.Failed[code] += n
	}
}
