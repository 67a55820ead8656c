package record

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// A Draft is a job to be recorded.
type Draft struct {
	ID       string // a new UUIDv7
	Tenant   string
	Input    job.Input
	Priority job.Priority // normal unless set
	Weight   float64      // the tenant's share of turns, against 1; positive
	// Model is the one that draws the images; Input.Model unless set, which may be
	// an older name of it.
	Model     string
	Lanes     []string // the lane of each image's task, by index; empty for an image to be parked
	Metadata  json.RawMessage
	ExpiresIn time.Duration // until the job's deadline
	// MaxWaiting bounds the queued images of the tenant, the job's own included;
	// 0 for no bound.
	MaxWaiting int

	PriceMicros int64   // list price of an image, in millionths of a US dollar; known if there are budgets
	Budgets     Budgets // that the images count against

	// IdempotencyKey makes Create record the job only once, however often it is
	// called; empty for none.
	IdempotencyKey string
	// Fingerprint tells whether two requests with one key are the same.
	Fingerprint string

	// ByHand is who makes the job by hand; nil if a caller does. What Create
	// records, it writes to the audit too.
	ByHand *ByHand
}

// CheckWaiting returns a *TooManyWaitingError if the job has no room beside the
// images of its tenant that wait already.
func (d Draft) CheckWaiting(waiting int) error {
	if d.MaxWaiting > 0 && waiting+d.Input.Count > d.MaxWaiting {
		return &TooManyWaitingError{Waiting: waiting, Most: d.MaxWaiting}
	}
	return nil
}

// A BudgetRoom is what is known of a period of a budget.
type BudgetRoom struct {
	UsedMicros   int64 // reserved and spent
	RaisedMicros int64 // what an operator added to the limit
	Behind       bool  // images are held by the budget: others come after them
}

// Fit returns how many of the job's images, the first ones, find room in the periods
// of its budgets, and the budget that holds the others. If a budget refuses the job,
// Fit returns that one as refusing. rooms are in the order of the periods.
func (d Draft) Fit(rooms []BudgetRoom) (n int, heldBy, refusing job.BudgetScope) {
	n = d.Input.Count
	for i, p := range d.Budgets.Periods {
		fit := 0
		if !rooms[i].Behind {
			fit = int(min(int64(d.Input.Count), max(0, p.LimitMicros+rooms[i].RaisedMicros-rooms[i].UsedMicros)/d.PriceMicros))
		}
		if fit < d.Input.Count && p.Refuse && refusing == "" {
			refusing = p.Scope
		}
		if fit < n {
			n, heldBy = fit, p.Scope
		}
	}
	return n, heldBy, refusing
}

// TasksOf returns the tasks of the job's first dispatch once it is recorded.
func (d Draft) TasksOf(j job.Job) []job.Task {
	return slices.DeleteFunc(d.Tasks(), func(t job.Task) bool { return j.Images[t.Index].HeldBy != "" })
}

// Tasks returns the tasks of the job's first dispatch, one for each image that has
// a lane.
func (d Draft) Tasks() []job.Task {
	var tasks []job.Task
	for i, lane := range d.Lanes {
		if lane != "" {
			tasks = append(tasks, job.Task{JobID: d.ID, Index: i, Dispatch: 1, Lane: lane})
		}
	}
	return tasks
}

// DrawnBy returns the model that draws the images.
func (d Draft) DrawnBy() string { return cmp.Or(d.Model, d.Input.Model) }

// A TooManyWaitingError is ErrTooManyWaiting with what is known of it.
type TooManyWaitingError struct {
	Waiting int // images of the tenant
	Most    int // that may wait
}

// Error returns how many images wait, and how many may.
func (e *TooManyWaitingError) Error() string {
	return fmt.Sprintf("%v: %d, of at most %d", ErrTooManyWaiting, e.Waiting, e.Most)
}

// Unwrap returns ErrTooManyWaiting.
func (e *TooManyWaitingError) Unwrap() error { return ErrTooManyWaiting }

// An Outlook is what a job would meet if it was recorded now.
type Outlook struct {
	Ahead     *int             // as job.Job.Ahead; nil if none of its images would get a lane
	LastAhead *int             // the same for the last of its images that would get a lane
	Paused    []job.PausedLane // as job.Job.Paused

	Held   int             // how many of its images, the last ones, would be held
	HeldBy job.BudgetScope // by which budget
}
