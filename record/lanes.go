package record

import (
	"fmt"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// A LaneState is one lane's part of the record.
type LaneState struct {
	Name    string
	Waiting int // queued images whose task is on the lane's queue, so no parked ones

	// These are set if the lane was paused and not resumed. Until may have
	// passed: then the lane is on probation, and may be used.
	Until  time.Time
	Broken bool       // it has to be mended, and does not only wait for a limit to pass
	Reason *job.Error // nil if the lane is up
	Since  time.Time

	ByHand HandPause // the pause by an operator, which holds besides
}

// PausedByHand reports whether an operator has paused the lane.
func (s LaneState) PausedByHand() bool { return !s.ByHand.At.IsZero() }

// A Pause says why and for how long a lane must not be used.
type Pause struct {
	For    time.Duration
	Broken bool
	Reason job.Error
}

// A PausedError is ErrLanePaused with what is known of it.
type PausedError struct {
	Lane LaneState
	For  time.Duration // how much longer; 0 if it is paused by hand only
}

// Error returns which lane is paused, for how long, and why.
func (e *PausedError) Error() string {
	if e.Lane.PausedByHand() {
		return fmt.Sprintf("%v: %s by hand", ErrLanePaused, e.Lane.Name)
	}
	return fmt.Sprintf("%v: %s for %s: %v", ErrLanePaused, e.Lane.Name, e.For.Round(time.Second), e.Lane.Reason)
}

// Unwrap returns ErrLanePaused.
func (e *PausedError) Unwrap() error { return ErrLanePaused }

// A ModelError is ErrOtherModel with the model that the image is of.
type ModelError struct{ Model string }

// Error returns the model that the image is of.
func (e *ModelError) Error() string { return fmt.Sprintf("%v: %q", ErrOtherModel, e.Model) }

// Unwrap returns ErrOtherModel.
func (e *ModelError) Unwrap() error { return ErrOtherModel }

// A Place is where an image waits.
type Place struct {
	Lane  string // whose queue its task is on
	Model string // that the lane asks for
}
