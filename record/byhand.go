package record

import (
	"context"
	"errors"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// JobOperators is what operators see and do of a single job. An act's Target in the
// audit is the job's id.
type JobOperators interface {
	// Inspect returns all that is known of a job, or ErrNotFound. The cost does not
	// grow with other jobs.
	Inspect(ctx context.Context, id string) (Inspection, error)

	// CancelByHand does what Cancel does. It fails with ErrEnded if the job has
	// ended, and with ErrNotFound.
	CancelByHand(ctx context.Context, id string, a Act) (job.Job, error)

	// DeleteByHand does what Delete does. It fails with ErrNotEnded if the job has
	// not ended, and with ErrNotFound.
	DeleteByHand(ctx context.Context, id string, a Act) error

	// ReplayWebhookByHand does what ReplayWebhook does, and fails as that.
	ReplayWebhookByHand(ctx context.Context, jobID, id string, a Act) (job.Webhook, error)
}

var (
	// ErrEnded means that a job has ended.
	ErrEnded = errors.New("record: the job has ended")
	// ErrNotEnded means that a job has not ended.
	ErrNotEnded = errors.New("record: the job has not ended")
)

// Actions on a job that an Act names.
const (
	ActionCancelJob     = "cancel job"
	ActionRetryJob      = "retry job"
	ActionDrawAgain     = "draw again"
	ActionReplayWebhook = "replay webhook"
	ActionDeleteJob     = "delete job"
)

// A ByHand says who makes a job by hand, and of which other one. The audit tells it
// of the other job, with the new one's id.
type ByHand struct {
	Act Act
	Of  string // the other job's id
}

// An Inspection is all that is known of a job.
type Inspection struct {
	At       time.Time // the record's time, to compare times with
	Job      job.Job   // as Get returns it
	Keyed    bool      // it was recorded under an idempotency key
	Places   []ImagePlace
	Attempts []job.Attempt // as Attempts returns them
	Webhooks []job.Webhook // as Webhooks returns them
	Acts     []AuditEntry  // what was done to it by hand, the latest first, MaxActs at most
}

// MaxActs bounds Inspection.Acts.
const MaxActs = 20

// An ImagePlace is where an image of a job is, by index.
type ImagePlace struct {
	Model string // that draws it
	// Lane is where it waits, or else where it was last claimed, or where it
	// waited if it never was. It is empty for a parked or held image.
	Lane string
	// LeaseEnds is until when a delivery holds it; zero unless it is processing.
	LeaseEnds time.Time
	Unsent    bool // it is queued, and its task is not known to be on a queue
}
