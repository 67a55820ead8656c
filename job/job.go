// Package job is the domain of the service: a job asks for pictures, and an
// image is one of them. The package knows the states, who may move them, and
// what a failure means. It knows nothing of queues, databases, HTTP or any
// provider, and imports the standard library only.
package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// A Job is one request for pictures by one tenant.
//
// It is a value: the record returns a job as it is in one version, and never
// changes it afterwards.
type Job struct {
	ID       string // UUIDv7, so that IDs sort by time of creation
	Tenant   string // name of the API key that created it
	Version  int64  // starts at 1, rises with every transition of the job or one of its images
	Status   Status
	Priority Priority
	Input    Input
	Metadata json.RawMessage // the caller's own JSON object, at most 4 KiB; nil when none was given
	Images   []Image         // one per picture asked for, by index

	CreatedAt   time.Time
	StartedAt   time.Time // when the first image started; zero before
	CompletedAt time.Time // when the last image ended; zero before
	ExpiresAt   time.Time // past this, what has not finished fails with CodeDeadlineExceeded

	// Ahead is how many images will start before the next of this job's queued
	// ones, as far as can be told. It is nil if none is queued, and where it was
	// not asked for.
	Ahead *int
	// Paused are the lanes that no image may start on now, whatever model they
	// serve, by name. It is nil if no image is queued, and where it was not asked
	// for.
	Paused []PausedLane
}

// A PausedLane is a lane that no image may start on now.
type PausedLane struct {
	Name   string
	Until  time.Time // it may have passed, or be zero, if the lane is paused by hand
	Code   Code      // why it is paused until then
	ByHand bool      // an operator has paused it, until somebody resumes it
}

// Priority says which images go first, whatever their tenant.
type Priority string

const (
	PriorityNormal Priority = "normal"
	// PriorityLow waits until no normal image of its model does.
	PriorityLow Priority = "low"
)

// Input is what the caller asked for, with every default filled in. Its JSON is
// how the record keeps it.
type Input struct {
	Prompt      string       `json:"prompt"`
	Model       string       `json:"model"`
	Count       int          `json:"count"`                  // pictures, 1 to MaxCount
	AspectRatio string       `json:"aspect_ratio,omitempty"` // such as "16:9"; empty lets the model choose
	ImageSize   string       `json:"image_size,omitempty"`   // "512", "1K", "2K" or "4K"; empty lets the model choose
	InputImages []InputImage `json:"input_images,omitempty"`
	Seed        *int32       `json:"seed,omitempty"`
	Retry       *Retry       `json:"retry,omitempty"`   // nil unless the job is one
	Webhook     *Receiver    `json:"webhook,omitempty"` // who is told of the job; nil for nobody
	// Bounds of what the job may cost, in millionths of a US dollar, 0 for none:
	// the caller's, and what its tenant may spend on one job.
	MaxCostMicros   int64 `json:"max_cost_micros,omitempty"`
	CostLimitMicros int64 `json:"cost_limit_micros,omitempty"`
}

// A Retry says which pictures of another job a job draws again.
type Retry struct {
	Of     string `json:"of"`             // the other job's id
	Images []int  `json:"images"`         // their indexes there, one for each picture of this job
	Bulk   string `json:"bulk,omitempty"` // the id of the bulk that made it; empty for none
}

// MaxCount is the most pictures that one job may ask for.
const MaxCount = 16

// Check returns an error that names the first field which is out of bounds.
func (in Input) Check() error {
	switch {
	case in.Count < 1 || in.Count > MaxCount:
		return fmt.Errorf("count is %d: ask for 1 to %d pictures", in.Count, MaxCount)
	case in.Prompt == "":
		return errors.New("prompt is empty: say what to draw")
	case in.Model == "":
		return errors.New("model is empty: name one")
	case in.Retry != nil && (len(in.Retry.Images) != in.Count || slices.Min(in.Retry.Images) < 0):
		return fmt.Errorf("count is %d: a retry of the pictures %v draws as many", in.Count, in.Retry.Images)
	case in.MaxCostMicros < 0 || in.CostLimitMicros < 0:
		return errors.New("max_cost_usd is below 0")
	case in.Seed != nil && *in.Seed > in.MaxSeed():
		return fmt.Errorf("seed is %d: with count %d it must be at most %d, for seed + count - 1", *in.Seed, in.Count, in.MaxSeed())
	}
	return nil
}

// MaxSeed returns the greatest seed with which the seeds of all images are in
// the range of int32.
func (in Input) MaxSeed() int32 {
	last := max(in.Count, 1) - 1
	if in.Retry != nil {
		last = slices.Max(in.Retry.Images)
	}
	return math.MaxInt32 - int32(last)
}

// SeedOf returns the seed of the image at the index, or nil for none. With one
// seed, all pictures of a job would be the same. A picture that is drawn again
// keeps its seed. Check refuses seeds that are past the range of int32; a job of
// before it did so goes on from 0.
func (in Input) SeedOf(index int) *int32 {
	if in.Seed == nil {
		return nil
	}
	if in.Retry != nil {
		index = in.Retry.Images[index]
	}
	seed := int64(*in.Seed) + int64(index)
	if seed > math.MaxInt32 {
		seed -= math.MaxInt32 + 1
	}
	of := int32(seed)
	return &of
}

// An InputImage is a picture that is handed to the model along with the prompt.
// It is either the caller's https URL, or the key of an object that this
// service stored when the caller sent the bytes; never both.
type InputImage struct {
	URL         string `json:"url,omitempty"`
	Key         string `json:"key,omitempty"`
	ContentType string `json:"content_type,omitempty"` // known for stored objects, guessed from the path for URLs; may be empty
}

// An Image is one picture of a job. One image costs one Gemini request if all
// goes well.
type Image struct {
	Index    int
	Status   Status // never StatusPartial
	Attempts int    // attempts begun and not given back; see Failure.SpendsAttempt
	Parked   bool   // queued, without a task: no lane serves its model now
	// HeldBy is the budget for whose room the image waits, queued and without a task;
	// empty if it does not.
	HeldBy BudgetScope

	// Set once the status is StatusSucceeded.
	Object Object
	// CostMicros is what the picture cost in millionths of a US dollar, 0 when
	// the price of the model is not known.
	CostMicros int64
	// BoundMicros and BilledMicros count against the most that the job may cost,
	// in millionths of a US dollar: the picture, and the attempts that brought
	// none, as far as the provider may charge for them. See Bill.BoundMicros.
	BoundMicros, BilledMicros int64
	// ReservedMicros is what budgets have reserved for the image's next attempt, or
	// for the one under way, in millionths of a US dollar.
	ReservedMicros int64

	// Error says why the image failed. While the image waits for its next
	// attempt, it says why the latest one failed. Otherwise it is nil.
	Error *Error

	// NotBefore is when the image's next attempt may begin. It is zero unless
	// the image is queued and waits for a time.
	NotBefore time.Time

	StartedAt   time.Time // start of the latest attempt; zero before the first
	CompletedAt time.Time // zero until the status is terminal
}

// Progress counts a job's images by status.
type Progress struct {
	Total, Queued, Processing, Succeeded, Failed, Canceled int
}

// Progress counts j's images by status.
func (j Job) Progress() Progress {
	p := Progress{Total: len(j.Images)}
	for _, img := range j.Images {
		switch img.Status { //nolint:exhaustive // an image is never partial
		case StatusQueued:
			p.Queued++
		case StatusProcessing:
			p.Processing++
		case StatusSucceeded:
			p.Succeeded++
		case StatusFailed:
			p.Failed++
		case StatusCanceled:
			p.Canceled++
		}
	}
	return p
}

// CostMicros returns what the job's pictures so far cost, in millionths of a US
// dollar.
func (j Job) CostMicros() int64 {
	var sum int64
	for _, img := range j.Images {
		sum += img.CostMicros
	}
	return sum
}
