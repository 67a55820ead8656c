// Package record is the contract of the record of all jobs. Each implementation
// has a package of its own. Package postgres is the one in production. Package
// memory is the same in plain Go, to be read as the specification; development
// runs on it. Package recordtest holds every implementation to the contract.
//
// The record decides which image runs and what becomes of it. Of queues it
// knows only the task that each image holds, and of pictures only their
// description.
package record

import (
	"context"
	"errors"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

var (
	// ErrNotFound means that there is no such job.
	ErrNotFound = errors.New("record: no such job")
	// ErrIdempotencyMismatch means that the idempotency key was used for
	// another request.
	ErrIdempotencyMismatch = errors.New("record: the idempotency key belongs to another request")
	// ErrTooManyWaiting means that a tenant has as many images waiting as it may
	// have. It comes as a *TooManyWaitingError.
	ErrTooManyWaiting = errors.New("record: too many images of the tenant wait")
	// ErrNothingDue means that no image waits for a slot, and that the
	// delivered task is no longer needed.
	ErrNothingDue = errors.New("record: nothing is due")
	// ErrHeld means that nothing is due, but that the image which holds the
	// delivered task is processing under a lease that has not run out, or waits
	// for what another image finds out. The task must be delivered again, in
	// case that worker dies.
	ErrHeld = errors.New("record: the task's image is held by another delivery")
	// ErrLanePaused means that a lane may not be used now. Claim wraps it in a
	// *PausedError.
	ErrLanePaused = errors.New("record: the lane is paused")
	// ErrClaimLost means that the claim does not hold, or no longer: its lease
	// ran out and another delivery took the image, or the image is terminal.
	// The delivered task must come again: another image may wait for it by now.
	ErrClaimLost = errors.New("record: the claim is lost")
	// ErrOtherModel means that the queued image which holds a task is one of
	// another model than the caller expects. It is wrapped in a *ModelError.
	ErrOtherModel = errors.New("record: the task's image is of another model")
)

// A Record is the record. Every method is one transaction, and what it returned
// survives a crash. Every transition is guarded by the state that it starts
// from, and raises the job's version by one. It returns the job as it is then:
// the snapshot of exactly that version. Methods are safe for concurrent use, by
// any number of processes.
//
// Any error that is not one of this package's means that the record could not
// be reached. Then the transition may or may not have happened.
type Record interface { //nolint:interfacebloat // a record is one thing
	// Create records a new job. All its images are queued and due, and each holds
	// the task of its first dispatch, or is parked if that has no lane. If the
	// same tenant has used d.IdempotencyKey before, Create records nothing. It
	// then returns the job of that time, or ErrIdempotencyMismatch if that
	// request had another fingerprint. If the job is a retry (d.Input.Retry), and
	// a retry of the same job has not ended, Create records nothing either, and
	// returns that retry; it fails with ErrNotFound if that ends just then. The
	// tasks that it returns are those that have not been reported to Enqueued
	// yet.
	//
	// A new job must not bring the tenant's queued images, of all models and
	// priorities, above d.MaxWaiting. Otherwise Create records nothing and fails
	// with ErrTooManyWaiting. That holds however many calls there are at once,
	// and costs the same however many jobs and tenants there are.
	//
	// Each image reserves d.PriceMicros with all periods of d.Budgets. Those for which
	// there is no room, and all while others are held by one of these budgets, are
	// held; see BudgetKeeper. If the budget without room is one that refuses, Create
	// records nothing and fails with a *BudgetError.
	Create(ctx context.Context, d Draft) (job.Job, []job.Task, error)

	// Recorded returns the job that Create would return for d, or ErrNotFound
	// if it would record a new one. It fails as Create would.
	Recorded(ctx context.Context, d Draft) (job.Job, error)

	// Outlook returns what Get would tell of the job that Create would record for
	// d, and records nothing. It goes neither by d.IdempotencyKey nor by another
	// retry. It fails with ErrTooManyWaiting, and with a *BudgetError, as Create
	// would. The cost does not grow with how many images wait.
	Outlook(ctx context.Context, d Draft) (Outlook, error)

	// Get returns the job, or ErrNotFound. Only Get sets Ahead and Paused: Paused
	// while an image of the job is queued, and Ahead while one is queued, and neither
	// parked nor held. Ahead is about the first of these that is ready, or else the
	// first. The cost does not grow with how many images wait.
	Get(ctx context.Context, id string) (job.Job, error)

	// List returns a page of the jobs that a query asks for, the newest first:
	// by the time of Create, then by id. If the query sifts, List looks at
	// q.Look() jobs at most. The page may then have fewer jobs than there are,
	// even none, and still a next one. So it may if its jobs are large: see
	// MaxSent. A page costs the same however many jobs there are. A job that changes
	// or is removed meanwhile may be shown as it is then, or be left out.
	List(ctx context.Context, q Query) (Page, error)

	// Enqueued notes that the tasks are on a queue. It is no transition.
	Enqueued(ctx context.Context, tasks ...job.Task) error

	// Claim takes the image whose turn it is among those of r.Model that are
	// ready: queued, and not waiting for a later time (see Requeue.After). The
	// image of r.Model that holds the delivered task is ready too, whatever time
	// it waits for: with its task, its time has come. If it is processing, it is
	// ready if its lease has run out.
	//
	// Turns go by priority, then by start-time fair queueing between the tenants
	// of a model and priority (Goyal, Vin and Cheng, 1996). On Create, an image
	// gets a start tag: the greater of the model's virtual time and the finish
	// tag of its tenant's last image. That counts for no more than virtual time +
	// (the tenant's waiting images + 1)/weight, so that images which were
	// canceled or expired cost their tenant no turn. Its own finish tag is
	// 1/weight later. The smallest start tag goes first, then the first recorded.
	// The virtual time becomes the start tag of the claimed image. The cost to
	// find the next image does not grow with how many wait.
	//
	// The image becomes processing under a new lease, has one attempt more, and
	// holds the delivered task. The image that held that task gets the task of
	// the claimed one.
	//
	// While r.Task.Lane is on probation, another image than those that have
	// struck a lane finds out whether it works; see Strike. An image that has
	// struck goes after all others that are ready. It is taken by the task that
	// it holds only, and not while an image is processing that was claimed on
	// this probation: then Claim fails with ErrHeld.
	//
	// Claim fails with ErrLanePaused if r.Task.Lane is paused, also by hand. If an image of
	// another model holds the delivered task, Claim fails with a *ModelError if
	// that image is queued, and with ErrHeld if it is processing. Tasks never go
	// from one model to another. Otherwise Claim fails with ErrHeld or
	// ErrNothingDue.
	Claim(ctx context.Context, r ClaimRequest) (Claim, error)

	// Renew makes the claim's lease end after lease from now, or fails with
	// ErrClaimLost. It is no transition.
	Renew(ctx context.Context, c Claim, lease time.Duration) error

	// Postpone gives another task to the queued image of a model that holds the
	// given one: the task of its next dispatch, on the place's lane. It returns
	// that task. It is for a slot that cannot be used, and for a task that is
	// gone. The image keeps its place in the order of turns. If the place is one
	// of another model, the image becomes one of that model, and gets a start
	// tag there as if it was just created. Postpone is no transition. It fails
	// with ErrHeld if the image is processing, with a *ModelError if it is queued
	// and of another model, and with ErrNothingDue if no image holds the task.
	Postpone(ctx context.Context, t job.Task, model string, to Place) (job.Task, error)

	// Park makes the queued image of a model that holds the task wait for a lane.
	// Then it has no task on any queue and is not ready, so it neither is claimed
	// nor costs a slot. Its deadline still ends it. Park is no transition. It
	// fails as Postpone does.
	Park(ctx context.Context, t job.Task, model string) error

	// Unpark ends the waiting of parked images of a model, one for each of the
	// places, in the order of turns. It gives them tasks as Postpone does, makes
	// them ready, and returns the tasks. All places must be of one model. It is
	// no transition.
	Unpark(ctx context.Context, model string, to []Place) ([]job.Task, error)

	// Cancel ends all images of the job that have not ended, in one transition.
	// If there are none, it returns the job as it is. Claims of these images
	// are lost. It fails with ErrNotFound.
	Cancel(ctx context.Context, id string) (job.Job, error)

	// The next three methods end a claim. When they are repeated under the same
	// claim, they return the same again. So a caller that got no answer may
	// call them again.

	// Succeed ends the claimed image with its stored picture, which cost
	// c.Report.Bill, or fails with ErrClaimLost.
	Succeed(ctx context.Context, c Claim, s Success) (job.Job, error)

	// Fail ends the claimed image with a reason, or fails with ErrClaimLost.
	Fail(ctx context.Context, c Claim, reason job.Error) (job.Job, error)

	// Requeue makes the claimed image wait for its next dispatch, and returns
	// the task of that, or fails with ErrClaimLost. If r.Budgets has periods, it settles
	// what the attempt was billed, and makes what is reserved for the image cover
	// r.PriceMicros. Where there is no room for that, the image is held, and there is no
	// task.
	//
	// Fail and Requeue add c.Report.Bill.BoundMicros to what the image has been
	// billed.
	Requeue(ctx context.Context, c Claim, r Requeue) (job.Job, job.Task, error)

	// The next four methods are about what all instances know of the lanes.
	// Claim goes by it.

	// LaneStates returns what is known of each lane that has ever been paused
	// or given a task, by name.
	LaneStates(ctx context.Context) ([]LaneState, error)

	// Pause lets no claim use the lanes for p.For from now. A lane that is
	// paused for longer stays so, and keeps its reason. A broken lane also
	// keeps its reason if p is for one that only has to wait. A lane keeps its
	// Since while it goes from one pause to the next without a Resume.
	Pause(ctx context.Context, lanes []string, p Pause) error

	// Resume ends the pause of a lane after which an image was claimed, because
	// the image's request was answered well. claimed is the image's StartedAt.
	// If the lane was paused again after that, Resume changes nothing and fails
	// with ErrLanePaused: the request says nothing of what came later.
	//
	// In any case the answer proves that the lane was in order at the time of
	// the claim; see Strike.
	Resume(ctx context.Context, lane string, claimed time.Time) error

	// Strike notes that the request of the claimed image was refused in a way
	// that closes lanes. It returns how many strikes of the image others have
	// disproved so far. Strike is no transition. It fails with ErrClaimLost.
	//
	// The next strike finds out whether the one before was disproved: whether
	// one of its lanes was proved to be in order since, by an image that was
	// claimed after it. Of strikes that follow each other before that, only one
	// counts, because the lane may have been broken all that time. Once one was
	// disproved, each further strike counts at once, unless one of its lanes is
	// paused or on probation: then another image has struck that too. A claim
	// strikes once, however often Strike is called.
	Strike(ctx context.Context, c Claim, lanes []string) (disproved int, err error)

	// The next methods find what a crash left behind. Each returns or moves
	// limit things at most, and costs next to nothing when there is nothing to
	// find. Each may run several times at once: what one call returned, another
	// call returns only later.

	// TasksOn returns tasks on a lane whose images are queued, of a model, and do
	// not wait for a later time. Those whose turn comes last come first.
	TasksOn(ctx context.Context, lane, model string, limit int) ([]job.Task, error)

	// Unsent returns tasks that queued images hold, that were handed out at
	// least age ago, and that are not known to be on a queue. It returns each
	// again only after another age.
	Unsent(ctx context.Context, age time.Duration, limit int) ([]job.Task, error)

	// Unheard returns the tasks of images that have been queued, and past the
	// time they wait for, for at least age. Those that waited longest come
	// first. It returns each again only after another age. Such a task may be
	// gone. Parked images have none.
	Unheard(ctx context.Context, age time.Duration, limit int) ([]job.Task, error)

	// Reap puts back images whose lease ran out at least grace ago. It returns
	// their jobs, as the transitions left them, and the tasks of the images'
	// next dispatch, on the same lane as the one before. The attempts stay
	// spent.
	Reap(ctx context.Context, grace time.Duration, limit int) ([]job.Job, []job.Task, error)

	// Expire fails, with reason, images of jobs past their deadline: those that
	// are queued, and those whose lease ran out. It returns the jobs as that
	// left them.
	Expire(ctx context.Context, reason job.Error, limit int) ([]job.Job, error)

	// ExpireJob does what Expire does to one job, and returns the job as that
	// left it. If there is nothing to fail, it returns the job as it is. It fails
	// with ErrNotFound.
	ExpireJob(ctx context.Context, id string, reason job.Error) (job.Job, error)

	// Retired returns jobs that ended at least age ago, the oldest first.
	Retired(ctx context.Context, age time.Duration, limit int) ([]job.Job, error)

	// Delete removes a job that has ended. It fails with ErrNotFound if there
	// is none. It does nothing to a job that has not ended.
	Delete(ctx context.Context, id string) error

	// Known returns those of the ids that a job has, in order.
	Known(ctx context.Context, ids ...string) ([]string, error)

	Reporter
	AttemptKeeper
	BudgetKeeper
	Board
	WebhookKeeper
	Operators
	Ignorer
	BulkKeeper
}
