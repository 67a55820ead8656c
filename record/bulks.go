package record

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// A BulkKeeper keeps bulks: what an operator does to all jobs that a search finds.
// Sweeps do it, job by job. Several sweeps may work on one bulk at once: only one of
// them counts what became of a job.
type BulkKeeper interface {
	// MeasureBulk returns what a bulk of q would meet now. It looks at jobs as Count
	// does.
	MeasureBulk(ctx context.Context, q SearchQuery) (BulkMeasure, error)

	// StartBulk records a running bulk, and writes that to the audit in the same
	// transaction. If there is a bulk with its id, StartBulk records nothing, and
	// returns that one.
	StartBulk(ctx context.Context, d BulkDraft, a Act) (Bulk, error)

	// AbortBulk lets a running bulk do no more, and writes that to the audit in the same
	// transaction. The bulk is aborting until the next step of a sweep. It fails with
	// ErrBulkEnded if the bulk is not running, and with ErrNotFound.
	AbortBulk(ctx context.Context, id string, a Act) (Bulk, error)

	// Bulk returns a bulk, or ErrNotFound.
	Bulk(ctx context.Context, id string) (Bulk, error)

	// Bulks returns those before an id, or all if that is empty: the latest first,
	// limit at most.
	Bulks(ctx context.Context, before string, limit int) ([]Bulk, error)

	// OpenBulks returns those that have not ended, the first one first, limit at most.
	// It costs one look at an index where there is none.
	OpenBulks(ctx context.Context, limit int) ([]Bulk, error)

	// BulkTargets returns the next jobs of a bulk, limit at most. It looks at jobs as
	// Search does, so there may be none, and still a next page.
	BulkTargets(ctx context.Context, b Bulk, limit int) (BulkTargets, error)

	// AdvanceBulk records a step of a bulk, and returns the bulk as it is then. It fails
	// with ErrBulkMoved if a step was recorded since b was read, or the bulk has ended.
	AdvanceBulk(ctx context.Context, b Bulk, s BulkStep) (Bulk, error)

	// RetireBulks removes bulks that ended longer than AuditKept ago, those that ended first
	// first, limit at most, and returns how many. So a bulk is kept for as long as the
	// audit names it.
	RetireBulks(ctx context.Context, limit int) (int, error)
}

var (
	// ErrBulkEnded means that a bulk is not running.
	ErrBulkEnded = errors.New("record: the bulk is not running")
	// ErrBulkMoved means that another sweep is at work on a bulk, or that it has ended.
	ErrBulkMoved = errors.New("record: another sweep went on with the bulk")
)

// Actions of a BulkKeeper that an Act names.
const (
	ActionBulkCancel = "start bulk cancel"
	ActionBulkRetry  = "start bulk retry"
	ActionAbortBulk  = "abort bulk"
)

// A BulkAction is what a bulk does to each job.
type BulkAction string

const (
	BulkCancel BulkAction = "cancel" // what CancelByHand does
	BulkRetry  BulkAction = "retry"  // a new job of the pictures that failed or were canceled
)

// Act returns the action that the audit names when a bulk starts.
func (a BulkAction) Act() string {
	if a == BulkCancel {
		return ActionBulkCancel
	}
	return ActionBulkRetry
}

// JobAct returns the action that the audit names for each job.
func (a BulkAction) JobAct() string {
	if a == BulkCancel {
		return ActionCancelJob
	}
	return ActionRetryJob
}

// Narrow returns a query for the jobs of q to which the action can be done. It returns
// false if the states that q asks for rule out all of them.
func (a BulkAction) Narrow(q SearchQuery) (SearchQuery, bool) {
	able := []job.Status{job.StatusQueued, job.StatusProcessing}
	if a == BulkRetry {
		able = []job.Status{job.StatusPartial, job.StatusFailed, job.StatusCanceled}
	}
	if len(q.Statuses) > 0 {
		able = slices.DeleteFunc(able, func(s job.Status) bool { return !slices.Contains(q.Statuses, s) })
	}
	q.Statuses, q.Cursor, q.Limit = able, "", 0
	return q, len(able) > 0
}

// A BulkState is how far a bulk is.
type BulkState string

// A bulk is running until it has met all jobs, or is aborting until the next step. The
// other two are final.
const (
	BulkRunning  BulkState = "running"
	BulkAborting BulkState = "aborting"
	BulkDone     BulkState = "done"
	BulkAborted  BulkState = "aborted"
)

// A BulkDraft is a bulk to be recorded.
type BulkDraft struct {
	ID       string // a new UUIDv7
	Action   BulkAction
	Text     string      // the search, as it was typed
	Query    SearchQuery // what that meant then, narrowed by the action
	Expected BulkExpected
}

// BulkExpected is what a dry run said.
type BulkExpected struct {
	Jobs     int
	More     bool // there may be more
	Pictures int
	Micros   int64 // list price, in millionths of a US dollar
}

// A Bulk is something that is done to all jobs that a search finds.
type Bulk struct {
	BulkDraft

	Act   Act // who started it, and why
	State BulkState

	At      time.Time // when it was started: it meets jobs that were recorded until then
	MovedAt time.Time // of its latest step
	EndedAt time.Time // zero until it has ended

	AbortedBy, AbortReason string // empty unless somebody aborted it

	Cursor string // it has met the jobs from this id on
	Steps  int    // rises with each step
	Tries  int    // steps in a row that could do nothing with the next job

	Done, Skipped, Failed int // jobs

	Samples []BulkSample // MaxBulkSamples at most
}

// Met returns how many jobs the bulk has met.
func (b Bulk) Met() int { return b.Done + b.Skipped + b.Failed }

const (
	// MaxBulkSamples bounds Bulk.Samples. What goes beyond is counted only.
	MaxBulkSamples = 20
	// MaxBulkTries is after how many tries in a row a job counts as failed.
	MaxBulkTries = 3
	// maxBulkReason bounds BulkSample.Reason, in bytes.
	maxBulkReason = 300
)

// A BulkOutcome is what became of a job.
type BulkOutcome string

const (
	BulkJobDone    BulkOutcome = "done"
	BulkJobSkipped BulkOutcome = "skipped" // there was nothing to do any more
	BulkJobFailed  BulkOutcome = "failed"  // it was refused
)

// A BulkSample is jobs of a bulk that were skipped or failed for one reason.
type BulkSample struct {
	Outcome BulkOutcome `json:"outcome"`
	Reason  string      `json:"reason"`
	Jobs    int         `json:"jobs"`
	JobID   string      `json:"job_id"` // the latest of them
}

// A BulkStep is what a sweep did.
type BulkStep struct {
	Outcome BulkOutcome // empty if no job was met
	JobID   string
	Reason  string // why it was skipped or failed
	Cursor  string // the bulk goes on after this id; empty for no change
	Again   bool   // nothing could be done with the next job now: it is tried again
	End     bool   // no job is left, or the bulk is aborting
}

// After returns the bulk as a step leaves it, apart from its state and times.
func (b Bulk) After(s BulkStep) Bulk {
	b.Steps++
	if s.Again {
		b.Tries++
		return b
	}
	b.Tries = 0
	if s.Cursor != "" {
		b.Cursor = s.Cursor
	}
	switch s.Outcome {
	case BulkJobDone:
		b.Done++
	case BulkJobSkipped:
		b.Skipped++
	case BulkJobFailed:
		b.Failed++
	}
	if s.Reason != "" {
		b.Samples = sampled(b.Samples, BulkSample{Outcome: s.Outcome, Reason: cut(s.Reason, maxBulkReason), Jobs: 1, JobID: s.JobID})
	}
	return b
}

// sampled returns samples with one more job, if there is room.
func sampled(all []BulkSample, s BulkSample) []BulkSample {
	all = slices.Clone(all)
	i := slices.IndexFunc(all, func(o BulkSample) bool { return o.Outcome == s.Outcome && o.Reason == s.Reason })
	switch {
	case i >= 0:
		s.Jobs += all[i].Jobs
		all[i] = s
	case len(all) < MaxBulkSamples:
		all = append(all, s)
	}
	return all
}

// Targets returns the query for the next jobs of the bulk.
func (b Bulk) Targets(limit int) SearchQuery {
	q := b.Query
	q.Cursor, q.Limit = b.Cursor, limit
	if b.Action == BulkCancel {
		q.EndedSince = b.At // it says of these that they were faster
	}
	return q
}

// Meets reports whether a job that Targets finds is one of the bulk's: it was recorded
// when the bulk was started, and was in a state then that the bulk is for.
func (b Bulk) Meets(j job.Job) bool {
	if j.CreatedAt.After(b.At) {
		return false
	}
	if b.Action == BulkRetry {
		return !j.CompletedAt.After(b.At)
	}
	return j.CompletedAt.IsZero() || !j.CompletedAt.Before(b.At)
}

// Detail returns what the audit tells of a bulk that is started.
func (d BulkDraft) Detail() map[string]string {
	return map[string]string{"search": d.Text}
}

// BulkTargets are the next jobs of a bulk.
type BulkTargets struct {
	Jobs []BulkTarget
	Next string // where the next page begins; empty if no job is left
}

// A BulkTarget is a job that a bulk comes to.
type BulkTarget struct {
	Job   job.Job
	Retry string // the id of a retry of it; empty if there was none. One of the bulk's own comes first
	Own   bool   // the retry is the bulk's
}

// A BulkMeasure is what a bulk would meet.
type BulkMeasure struct {
	Tally

	Retried int // of the jobs; those that were retried before, whose pictures are not in Groups
	Groups  []BulkGroup
}

// A BulkGroup is the pictures of one model and size, by name.
type BulkGroup struct {
	Model, Size        string // as callers asked for them
	Queued, Processing int
	Lost               int // failed or canceled
}
