// Package enqueue is the producer. It records jobs, and puts a named task for
// each image on the queue of a lane. The row is written before the task, so
// that tasks which a crash left out can be found and put later.
package enqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/google/uuid"
	"github.com/googleapis/gax-go/v2"
	"go.opentelemetry.io/otel/propagation"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

// A Queue is the part of the Cloud Tasks client that a producer uses.
type Queue interface {
	CreateTask(context.Context, *cloudtaskspb.CreateTaskRequest, ...gax.CallOption) (*cloudtaskspb.Task, error)
	GetTask(context.Context, *cloudtaskspb.GetTaskRequest, ...gax.CallOption) (*cloudtaskspb.Task, error)
}

// An InputStore keeps the pictures that callers send along.
type InputStore interface {
	// PutInput stores the bytes of a job's n-th input picture and returns
	// their key.
	PutInput(ctx context.Context, jobID string, n int, data []byte, contentType string) (key string, err error)
	// TakeUpload stores a tenant's upload as a job's n-th input picture. It
	// fails with a *job.NoUploadError.
	TakeUpload(ctx context.Context, tenant, id, jobID string, n int) (job.InputImage, error)
	// CopyInput stores a stored picture once more, as a job's n-th input
	// picture. It fails with a *job.NoUploadError if it is gone.
	CopyInput(ctx context.Context, key, contentType, jobID string, n int) (job.InputImage, error)
	// RemoveInput deletes that picture, if it is stored.
	RemoveInput(ctx context.Context, jobID string, n int) error
	// CheckUpload fails as TakeUpload would, and stores nothing.
	CheckUpload(ctx context.Context, tenant, id string) error
}

// Producer records jobs and enqueues their images.
type Producer struct {
	record  record.Record
	queue   Queue
	inputs  InputStore
	target  Target
	lanes   []lane.Lane
	queues  map[string]string // by lane
	next    *nextSweep
	most    int // see Config.MaxWaiting
	budgets record.BudgetBook
	runs    typical

	process context.Context //nolint:containedctx // see Config.Process
	log     *slog.Logger
}

// Config is what a producer works with.
type Config struct {
	Record record.Record
	Queue  Queue
	Inputs InputStore
	Target Target
	Lanes  []lane.Lane
	// MaxWaiting is how many pictures of one tenant may wait; 0 for any number.
	MaxWaiting int
	Budgets    record.BudgetBook
	// Process ends when the process shuts down. It bounds work that goes on
	// after its caller has gone away.
	Process context.Context //nolint:containedctx // it is there to outlive requests
	Log     *slog.Logger
}

// New returns a producer that puts tasks on the queues of the lanes.
func New(cfg Config) *Producer {
	p := &Producer{
		process: cfg.Process, record: cfg.Record, queue: cfg.Queue, inputs: cfg.Inputs, target: cfg.Target, lanes: cfg.Lanes,
		queues: make(map[string]string, len(cfg.Lanes)), next: &nextSweep{queue: cfg.Queue, target: cfg.Target}, log: cfg.Log,
		most: cfg.MaxWaiting, budgets: cfg.Budgets,
	}
	for _, l := range cfg.Lanes {
		p.queues[l.Name] = l.Queue
	}
	return p
}

// A Submission is what a caller asks for, checked and with defaults filled in.
type Submission struct {
	Tenant         string
	Weight         float64 // the tenant's share of turns, against 1
	Priority       job.Priority
	Input          job.Input // its InputImages name the pictures that the caller gave by URL
	Uploads        []Upload  // input pictures that have to be stored for the job
	Metadata       []byte
	ExpiresIn      time.Duration
	MaxWaiting     int            // pictures of the tenant; 0 for as many as of any tenant
	PriceMicros    int64          // list price of one picture in millionths of a US dollar, 0 if it is not known
	IdempotencyKey string         // empty for none
	Fingerprint    string         // of the request, to tell two requests with one key apart
	ByHand         *record.ByHand // who makes the job by hand; nil if a caller does
}

// ErrOutOfBounds means that a submission asks for what no job may have. It is
// wrapped in an error that names the field.
var ErrOutOfBounds = errors.New("enqueue: the submission is out of bounds")

// check returns ErrOutOfBounds if a field is out of bounds. Callers have checked
// that already; check is what stands if one has not, since memory, tasks and the
// turns of all tenants depend on these numbers.
func (s Submission) check() error {
	err := s.Input.Check()
	switch {
	case err != nil:
	case !(s.Weight > 0) || math.IsInf(s.Weight, 0): // NaN is not above 0
		err = fmt.Errorf("weight is %v: it must be a number above 0", s.Weight)
	case s.Priority != job.PriorityNormal && s.Priority != job.PriorityLow:
		err = fmt.Errorf("priority is %q: it must be %s or %s", s.Priority, job.PriorityNormal, job.PriorityLow)
	case s.ExpiresIn <= 0:
		err = fmt.Errorf("expires_in is %s: it must be above 0", s.ExpiresIn)
	case slices.ContainsFunc(s.Uploads, func(u Upload) bool { return u.Position < 0 || u.Position >= len(s.Input.InputImages) }):
		err = errors.New("input_images has no place for an upload")
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOutOfBounds, err)
	}
	return nil
}

// An Upload is an input picture that has to be stored for the job. It has the
// picture's bytes, or ID, or Key.
type Upload struct {
	Position    int // among Input.InputImages
	Data        []byte
	ContentType string // of Data, or of what is under Key
	ID          string // of a picture that the caller put into the bucket; see job.UploadTicket
	Key         string // of a picture that is stored for another job
}

// Submit accepts a job: when it returns without an error, the job is recorded and
// will be worked on. It fails with ErrOutOfBounds or a *CostError before it does
// anything, with record.ErrIdempotencyMismatch, with a *FullError, with ErrNoLane,
// with ErrNoPrice, with a *BudgetError, and with the record's errors. Of a submission
// that is refused, no picture is kept.
//
// If all lanes that serve the model are paused, the job's images are parked, and a
// sweep gives them tasks once one is not.
//
// If a task cannot be created, a sweep makes up for it: the row stands, and says
// which tasks are missing. Only where no sweep could be asked for either, Submit
// fails with ErrNotEnqueued. It does not fail if ctx ends after the row is
// written. A process that shuts down leaves the missing tasks to the sweep.
func (p *Producer) Submit(ctx context.Context, s Submission) (job.Job, error) {
	draft, err := p.draft(ctx, s)
	if err != nil {
		return job.Job{}, err
	}
	stored, err := p.upload(ctx, &draft, s.Uploads)
	if err != nil {
		p.removeInputs(ctx, draft.ID, stored)
		return job.Job{}, p.explain(draft, err)
	}
	noSweep := p.AskForSweep(ctx, time.Now())
	if noSweep != nil {
		p.log.WarnContext(ctx, "a crash now would be found by Cloud Scheduler's sweep only", "error", noSweep)
	}
	j, tasks, err := p.create(ctx, draft)
	if unrecorded(err) || err == nil && j.ID != draft.ID {
		p.removeInputs(ctx, draft.ID, stored)
	}
	if err != nil {
		return job.Job{}, p.explain(draft, err)
	}
	ctx, release := p.outlive(ctx)
	defer release()
	if noSweep != nil && slices.ContainsFunc(j.Images, func(i job.Image) bool { return i.Parked || i.HeldBy != "" }) {
		return job.Job{}, p.takeBack(ctx, j, draft)
	}
	if err := p.Put(ctx, time.Time{}, tasks...); err != nil {
		p.log.ErrorContext(ctx, "a job is recorded but not on its queue", "job_id", j.ID, "error", err)
		if noSweep != nil {
			return job.Job{}, p.takeBack(ctx, j, draft)
		}
	}
	return j, nil
}

// draft returns what is to be recorded for a submission, once that is checked.
func (p *Producer) draft(ctx context.Context, s Submission) (record.Draft, error) {
	if err := cmp.Or(s.check(), s.checkCost()); err != nil {
		return record.Draft{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return record.Draft{}, fmt.Errorf("enqueue: new job id: %w", err)
	}
	lanes, drawnBy, err := p.choose(ctx, s.Input.Model, s.Input.Count)
	d := record.Draft{
		ID: id.String(), Tenant: s.Tenant, Weight: s.Weight, Priority: s.Priority,
		Input: s.Input, Metadata: s.Metadata, Model: drawnBy, Lanes: lanes,
		ExpiresIn: s.ExpiresIn, MaxWaiting: cmp.Or(s.MaxWaiting, p.most), IdempotencyKey: s.IdempotencyKey, Fingerprint: s.Fingerprint,
		PriceMicros: s.PriceMicros, Budgets: p.budgets.Of(s.Tenant, time.Now()), ByHand: s.ByHand,
	}
	return d, cmp.Or(err, p.checkBudgets(d))
}

// takeBack ends the job of a draft that nothing would bring a slot, and returns
// ErrNotEnqueued. A job with an idempotency key stays: the caller can repeat the
// request, which puts the tasks. So does one that was accepted before.
func (p *Producer) takeBack(ctx context.Context, j job.Job, d record.Draft) error {
	if d.IdempotencyKey == "" && j.ID == d.ID {
		if _, err := p.record.Cancel(ctx, j.ID); err != nil {
			p.log.ErrorContext(ctx, "a job that was refused is not canceled", "job_id", j.ID, "error", err)
		}
	}
	return fmt.Errorf("%w: job %s", ErrNotEnqueued, j.ID)
}

// createGrace is for how long a row may still be written once the submission
// was cut. It is less than what a process has left to answer the caller.
const createGrace = time.Second

// errNotBegun means that a submission was cut before its row.
var errNotBegun = errors.New("enqueue: nothing is recorded")

// maxCreates is how often create tries to record one job.
const maxCreates = 3

// errInTheWay means that there was an earlier job in the way of a new one each
// time, which was gone once it was looked for.
var errInTheWay = errors.New("enqueue: an earlier job of the same request ends or is removed just now")

// create records a job. It tries again if the job that stood in its way ended or
// was removed just then. If ctx ends while the row is being written, create goes
// on for a while: nobody would know whether there is a job.
func (p *Producer) create(ctx context.Context, d record.Draft) (job.Job, []job.Task, error) {
	if err := ctx.Err(); err != nil {
		return job.Job{}, nil, fmt.Errorf("%w: %w", errNotBegun, err)
	}
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(createGrace, cancel) })
	defer stop()
	for range maxCreates {
		j, tasks, err := p.record.Create(longer, d)
		if !errors.Is(err, record.ErrNotFound) {
			return j, tasks, err
		}
	}
	return job.Job{}, nil, errInTheWay
}

// outlive returns a context with the values of ctx. It does not end when the
// caller goes away, but when the process shuts down.
func (p *Producer) outlive(ctx context.Context) (_ context.Context, release func()) {
	return outlive(ctx, p.process)
}

// outlive returns a context with the values of ctx, which ends with the process.
func outlive(ctx, process context.Context) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(process, func() { cancel(context.Cause(process)) })
	return ctx, func() {
		stop()
		cancel(context.Canceled)
	}
}

// ErrNotEnqueued means that a job has neither its tasks nor a sweep that would
// create them: Cloud Tasks cannot be reached.
var ErrNotEnqueued = errors.New("enqueue: neither the job's tasks nor a sweep could be put on a queue")

// maxCreating bounds how many tasks of one call are created at the same time.
const maxCreating = 8

// Put puts the tasks on their lanes' queues, and notes that in the record. They
// are delivered not before at, or at once if that is zero. A task that is there
// already counts as put, so Put may be repeated. A task that cannot be created
// does not stop the others.
func (p *Producer) Put(ctx context.Context, at time.Time, tasks ...job.Task) error {
	put, errs := createAll(ctx, tasks, func(ctx context.Context, t job.Task) error { return p.createTask(ctx, t, at) })
	failed := errors.Join(errs...)
	if len(put) == 0 {
		return failed
	}
	return errors.Join(failed, p.record.Enqueued(ctx, put...))
}

// createAll calls create for every task, several at the same time, for
// createTimeout at most. It returns those tasks for which that did not fail, and
// the error of each task, which is nil for these.
func createAll[T any](ctx context.Context, tasks []T, create func(context.Context, T) error) (put []T, errs []error) {
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	errs = make([]error, len(tasks))
	var g errgroup.Group
	g.SetLimit(maxCreating)
	for i, t := range tasks {
		g.Go(func() error {
			errs[i] = create(ctx, t)
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	for i, t := range tasks {
		if errs[i] == nil {
			put = append(put, t)
		}
	}
	return put, errs
}

// createTask puts one task on its lane's queue.
func (p *Producer) createTask(ctx context.Context, t job.Task, at time.Time) error {
	headers := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, headers)
	queue, known := p.queues[t.Lane]
	if !known {
		return fmt.Errorf("enqueue: task %s: there is no lane %q", t.ID(), t.Lane)
	}
	req, err := p.target.newRequest(queue, t, at, headers)
	if err != nil {
		return fmt.Errorf("enqueue: task %s: %w", t.ID(), err)
	}
	_, err = p.queue.CreateTask(ctx, req, gax.WithRetry(newRetryer))
	if err != nil && grpcstatus.Code(err) != codes.AlreadyExists {
		return fmt.Errorf("enqueue: create task %s: %w", t.ID(), err)
	}
	return nil
}

// Gone reports whether a task is on no queue.
func (p *Producer) Gone(ctx context.Context, t job.Task) (bool, error) {
	queue, known := p.queues[t.Lane]
	if !known {
		return true, nil
	}
	_, err := p.queue.GetTask(ctx, &cloudtaskspb.GetTaskRequest{Name: taskName(queue, t)})
	if grpcstatus.Code(err) == codes.NotFound {
		return true, nil
	}
	return false, err
}

// AskForSweep asks for a sweep soon after now, if there is a queue for sweeps.
// It may be called often: each process asks once an interval.
func (p *Producer) AskForSweep(ctx context.Context, now time.Time) error {
	return p.next.askFor(ctx, now)
}

// AskForSweepAt asks for a sweep at a time, if there is a queue for sweeps and it takes
// tasks that far ahead.
func (p *Producer) AskForSweepAt(ctx context.Context, at time.Time) error {
	if time.Until(at) > furthest {
		return nil
	}
	return p.next.askAt(ctx, at, &p.next.exact)
}

// AskForSweepSoon asks for a sweep one to two minutes after now, if there is a
// queue for sweeps.
func (p *Producer) AskForSweepSoon(ctx context.Context, now time.Time) error {
	return p.next.askForSoon(ctx, now)
}

const (
	// createTimeout bounds the creation of all tasks of a call, retries
	// included. Cloud Tasks refuses deadlines over 30 s.
	createTimeout = 15 * time.Second

	firstRetry = 100 * time.Millisecond
	lastRetry  = 2 * time.Second
)

// newRetryer returns a retryer of calls that may have failed on the way. The
// task is named, so repeating a call that succeeded creates nothing.
func newRetryer() gax.Retryer {
	return gax.OnCodes([]codes.Code{
		codes.Unavailable, codes.DeadlineExceeded, codes.Internal, codes.Aborted, codes.ResourceExhausted, codes.Unknown,
	}, gax.Backoff{Initial: firstRetry, Max: lastRetry, Multiplier: 2})
}
