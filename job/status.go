package job

import "fmt"

// Status is the state of a job or of an image. The terminal ones are frozen:
// clients loop until they see one, so no other is ever added within v1.
type Status string

const (
	// StatusQueued means recorded, and waiting for a slot of its lane's quota.
	// A job is queued until its first image starts. An image returns here when
	// an attempt is given back or is to be repeated.
	StatusQueued Status = "queued"
	// StatusProcessing means that a worker holds the image under a lease. A job
	// stays processing from its first image's start until its last image's end.
	StatusProcessing Status = "processing"
	// StatusSucceeded means that the picture is stored; for a job, that all of
	// them are.
	StatusSucceeded Status = "succeeded"
	// StatusPartial means that a job ended with some pictures and not all. An
	// image never has it.
	StatusPartial Status = "partial"
	// StatusFailed means that the image will not be tried again; for a job,
	// that no image succeeded.
	StatusFailed Status = "failed"
	// StatusCanceled means that the caller ended it; for a job, before any
	// image succeeded or failed.
	StatusCanceled Status = "canceled"
)

// Terminal reports whether nothing will change s any more.
func (s Status) Terminal() bool {
	switch s {
	case StatusSucceeded, StatusPartial, StatusFailed, StatusCanceled:
		return true
	default:
		return false
	}
}

// Event is what can happen to an image.
type Event string

const (
	// EventClaim means that a delivery took the image and begins an attempt.
	EventClaim Event = "claim"
	// EventSucceed means that the picture is stored.
	EventSucceed Event = "succeed"
	// EventFail means that the image will not be tried again.
	EventFail Event = "fail"
	// EventRequeue means that the attempt is over and another will follow.
	EventRequeue Event = "requeue"
	// EventCancel means that the caller wants the image no more.
	EventCancel Event = "cancel"
)

// transitions is the one table of what may happen to an image, and of where it
// leads. The record has it as guards in SQL; recordtest holds every
// implementation to it.
//
// A processing image may be claimed once its lease has run out. Only the record
// can tell whether it has.
var transitions = map[Status]map[Event]Status{
	StatusQueued: {
		EventClaim:  StatusProcessing,
		EventFail:   StatusFailed, // by the sweep, past its deadline
		EventCancel: StatusCanceled,
	},
	StatusProcessing: {
		EventClaim:   StatusProcessing,
		EventSucceed: StatusSucceeded,
		EventFail:    StatusFailed,
		EventRequeue: StatusQueued,
		EventCancel:  StatusCanceled,
	},
}

// Next returns the state that e moves an image in state s to. It fails if the
// table has no such transition; it has none for a terminal state.
func (s Status) Next(e Event) (Status, error) {
	if next, ok := transitions[s][e]; ok {
		return next, nil
	}
	return "", fmt.Errorf("job: no transition from %q on %q", s, e)
}

// Status returns the state of the job whose images p counts. started tells
// whether any image has ever started: a job does not return to queued when its
// only image does.
func (p Progress) Status(started bool) Status {
	switch ended := p.Succeeded + p.Failed + p.Canceled; {
	case ended < p.Total && (started || p.Processing > 0 || ended > 0):
		return StatusProcessing
	case ended < p.Total:
		return StatusQueued
	case p.Succeeded == p.Total:
		return StatusSucceeded
	case p.Succeeded > 0:
		return StatusPartial
	case p.Canceled > 0 && p.Failed == 0:
		return StatusCanceled
	default:
		return StatusFailed
	}
}
