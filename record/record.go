// Package record is the record of all jobs: the contract that its
// implementations keep, each in a package of its own. Package postgres is the
// one in production. Package memory is the same in plain Go, to be read as the
// specification; development runs on it. Package recordtest holds every
// implementation to the contract.
//
// The record decides which image runs and what becomes of it. It knows nothing
// of queues beyond the tasks that each image holds, and nothing of pictures
// beyond their description.
package record

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

var (
	// ErrNotFound: there is no such job.
	ErrNotFound = errors.New("record: no such job")
	// ErrIdempotencyMismatch: the idempotency key was used for another request.
	ErrIdempotencyMismatch = errors.New("record: the idempotency key belongs to another request")
	// ErrNothingDue: no image waits for a slot, and the delivered task is not
	// needed any more.
	ErrNothingDue = errors.New("record: nothing is due")
	// ErrHeld: nothing is due, but the image that holds the delivered task is
	// being worked on under a lease that has not run out. The task must be
	// delivered again, in case that worker dies.
	ErrHeld = errors.New("record: the task's image is held by another delivery")
	// ErrLanePaused: the slot's lane may not be used now. It is wrapped in a
	// *PausedError.
	ErrLanePaused = errors.New("record: the lane is paused")
	// ErrClaimLost: the claim is not, or no longer, the image's: its lease ran
	// out and another delivery took it, or it is terminal. The task that was
	// delivered must come again: by now it may be what another image waits for.
	ErrClaimLost = errors.New("record: the claim is lost")
)

// A Record is the record. Every method is one transaction; what it returned
// survives a crash. Every transition is guarded by what it starts from,
// raises the job's version by one and returns the job as it then is: the
// snapshot of exactly that version. Methods are safe for concurrent use, by
// any number of processes.
//
// An error that is none of this package's means that the record could not be
// reached, and that the transition may or may not have happened.
type Record interface { //nolint:interfacebloat // a record is one thing
	// Create records a new job, all its images queued and due, each holding
	// the task of its first dispatch. Where d.IdempotencyKey was used by the
	// same tenant before, it records nothing and returns the job of that time,
	// or ErrIdempotencyMismatch if that request's fingerprint was another.
	// The tasks are those that have not been reported to Enqueued yet.
	Create(ctx context.Context, d Draft) (job.Job, []job.Task, error)

	// ByIdempotencyKey returns the job that Create would return for d, or
	// ErrNotFound if it would record a new one.
	ByIdempotencyKey(ctx context.Context, d Draft) (job.Job, error)

	// Get returns the job, or ErrNotFound. It alone sets Ahead.
	Get(ctx context.Context, id string) (job.Job, error)

	// Enqueued notes that the tasks are on a queue. It is no transition.
	Enqueued(ctx context.Context, tasks ...job.Task) error

	// Claim takes the image whose turn it is among those of r.Model that are
	// ready: queued, and not waiting for a later time (see Requeue.After). The
	// image that holds the delivered task is ready too, whatever its model and
	// the time it waits for: its task has come, so its time has. It is ready
	// even while processing, if its lease has run out.
	//
	// Turns go by priority, then by start-time fair queueing between the
	// tenants of a model and priority (Goyal, Vin and Cheng, 1996): on Create
	// an image gets a start tag, the greater of the model's virtual time and
	// the finish tag of its tenant's last image, and a finish tag, 1/weight
	// later; the smallest start tag goes first, then the first recorded; and
	// the virtual time becomes its tag. The next one is found at a cost that
	// does not grow with how many wait.
	//
	// The image becomes processing under a new lease, has one attempt more, and
	// holds the delivered task; the image that held that gets the claimed one's
	// task.
	//
	// It fails with ErrLanePaused if r.Task.Lane is paused, else with ErrHeld
	// or ErrNothingDue.
	Claim(ctx context.Context, r ClaimRequest) (Claim, error)

	// Renew makes the claim's lease end after lease from now, or fails with
	// ErrClaimLost. It is no transition.
	Renew(ctx context.Context, c Claim, lease time.Duration) error

	// Postpone gives the queued image that holds the task the task of its next
	// dispatch instead, on a lane, and returns that. It is for a slot that
	// cannot be used, and for a task that is gone. The image stays where it is
	// in the order of turns. It is no transition. It fails with ErrHeld if the
	// image is being worked on, and with ErrNothingDue if none holds the task.
	Postpone(ctx context.Context, t job.Task, lane string) (job.Task, error)

	// Cancel ends all images of the job that have not ended, in one transition;
	// it returns the job as it is if there are none. Claims of theirs are lost.
	// It fails with ErrNotFound.
	Cancel(ctx context.Context, id string) (job.Job, error)

	// The three that follow end a claim. Repeated under the same claim, they
	// return what they returned, so that they may be tried again when no
	// answer came.

	// Succeed ends the claimed image with its stored picture, or fails with
	// ErrClaimLost.
	Succeed(ctx context.Context, c Claim, s Success) (job.Job, error)

	// Fail ends the claimed image with a reason, or fails with ErrClaimLost.
	Fail(ctx context.Context, c Claim, reason job.Error) (job.Job, error)

	// Requeue makes the claimed image wait for its next dispatch, whose task
	// it returns, or fails with ErrClaimLost.
	Requeue(ctx context.Context, c Claim, r Requeue) (job.Job, job.Task, error)

	// What all instances know of the lanes. Claim heeds it.

	// LaneStates returns what is known of each lane that has ever been paused
	// or given a task, by name.
	LaneStates(ctx context.Context) ([]LaneState, error)

	// Pause lets no claim use the lanes for p.For from now. One that is paused
	// for longer stays so, with its own reason; the reason of a broken lane is
	// not replaced by that of one that only has to wait. Since is kept while a
	// lane goes from one pause to the next without a Resume.
	Pause(ctx context.Context, lanes []string, p Pause) error

	// Resume ends the pause of a lane, if there is one.
	Resume(ctx context.Context, lane string) error

	// What follows finds what a crash left behind. Each method does a page of at
	// most limit at a time, costs next to nothing when there is nothing to find,
	// and may run at the same time as itself: what one call returned, another
	// does not until later.

	// Unsent returns the tasks that queued images hold and that are not known
	// to be on a queue, for at least age since they were handed out. It returns
	// each again only after another age.
	Unsent(ctx context.Context, age time.Duration, limit int) ([]job.Task, error)

	// Unheard returns the tasks of images that have been queued, and past the
	// time they wait for, for at least age, those first that waited longest. It
	// returns each again only after another age. Such a task may be gone.
	Unheard(ctx context.Context, age time.Duration, limit int) ([]job.Task, error)

	// Reap puts images back whose lease ran out at least grace ago, and returns
	// their jobs, as the transitions left them, with the tasks of their next
	// dispatch, on the lane of the one before. The attempts stay spent.
	Reap(ctx context.Context, grace time.Duration, limit int) ([]job.Job, []job.Task, error)

	// Expire fails queued images of jobs past their deadline, and those whose
	// lease ran out, with reason. It returns the jobs as that left them.
	Expire(ctx context.Context, reason job.Error, limit int) ([]job.Job, error)

	// Retired returns jobs that ended at least age ago, the oldest first.
	Retired(ctx context.Context, age time.Duration, limit int) ([]job.Job, error)

	// Delete removes a job that has ended. It fails with ErrNotFound if there
	// is none, and does nothing to one that has not ended.
	Delete(ctx context.Context, id string) error

	Reporter
}

// A LaneState is one lane's part of the record.
type LaneState struct {
	Name    string
	Waiting int // queued images whose task is on the lane's queue

	// A lane that was paused and not resumed. Until may have passed: then it
	// is on probation, and may be used.
	Until  time.Time
	Broken bool       // it waits to be mended, and not for a limit to pass
	Reason *job.Error // nil if the lane is up
	Since  time.Time
}

// A Pause is why and for how long a lane is not to be used.
type Pause struct {
	For    time.Duration
	Broken bool
	Reason job.Error
}

// A PausedError is ErrLanePaused with what is known of it.
type PausedError struct {
	Lane LaneState
	For  time.Duration // how much longer
}

// Error says which lane and why.
func (e *PausedError) Error() string {
	return fmt.Sprintf("%v: %s for %s: %v", ErrLanePaused, e.Lane.Name, e.For.Round(time.Second), e.Lane.Reason)
}

// Unwrap returns ErrLanePaused.
func (e *PausedError) Unwrap() error { return ErrLanePaused }

// A Draft is a job to be recorded.
type Draft struct {
	ID        string // a new UUIDv7
	Tenant    string
	Input     job.Input
	Priority  job.Priority // normal unless set
	Weight    float64      // the tenant's share of turns, against 1; positive
	Lanes     []string     // of each image's task, by index
	Metadata  json.RawMessage
	ExpiresIn time.Duration // until the job's deadline

	// IdempotencyKey makes Create record the job once however often it is
	// called; empty for none.
	IdempotencyKey string
	// Fingerprint tells whether two requests with one key are the same one.
	Fingerprint string
}

// Tasks returns the tasks of the job's first dispatch, one for each image.
func (d Draft) Tasks() []job.Task {
	tasks := make([]job.Task, d.Input.Count)
	for i := range tasks {
		tasks[i] = job.Task{JobID: d.ID, Index: i, Dispatch: 1, Lane: d.Lanes[i]}
	}
	return tasks
}

// A ClaimRequest is a slot to be used.
type ClaimRequest struct {
	Model string        // what the slot's lane serves
	Task  job.Task      // what was delivered, on its lane
	Lease time.Duration // for how long the image is the claimant's, unless renewed
}

// A Claim is the right to move one image, until its lease runs out.
type Claim struct {
	Token     string  // what guards every later transition
	Job       job.Job // as the claim left it
	Index     int     // of the claimed image
	Dispatch  int     // of the claimed image: how often it was put on a queue so far
	Reclaimed bool    // the image was claimed before, so its picture may already be stored
}

// Image returns the claimed image as the claim left it.
func (c Claim) Image() job.Image { return c.Job.Images[c.Index] }

// NextTask returns the task of the claimed image's next dispatch, on a lane.
func (c Claim) NextTask(lane string) job.Task {
	return job.Task{JobID: c.Job.ID, Index: c.Index, Dispatch: c.Dispatch + 1, Lane: lane}
}

// A Success is a picture that is stored.
type Success struct {
	Object     job.Object
	CostMicros int64 // millionths of a US dollar, 0 if not known
}

// A Requeue is how an image waits for its next dispatch.
type Requeue struct {
	Lane     string        // of the next task
	After    time.Duration // until it is ready
	GiveBack bool          // the attempt does not count
	Reason   *job.Error    // why the attempt ended; nil if nothing was wrong with it
}
