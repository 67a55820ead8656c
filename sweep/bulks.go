package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

const (
	// bulkPage is how many jobs of a bulk are read at once.
	bulkPage = 20
	// bulkJobs is about how many jobs one sweep does for all bulks together. After bulkTime
	// it begins no further one. The next sweep, which goes on, comes within seconds.
	bulkJobs = 200
	bulkTime = 30 * time.Second
	// openBulks is how many bulks go on at once: those that were started first.
	openBulks = 20
	// nextBulk is how long after a sweep the next one is asked for.
	nextBulk = 2 * time.Second
)

// A Retrier retries jobs that have ended, within the limits of their tenants and
// budgets. It makes one retry for each job and bulk, however often it is called. It
// returns another retry of the job that has not ended instead. It fails with a
// *RefusedError if there is something in the way that a repetition does not change.
type Retrier interface {
	Retry(ctx context.Context, j job.Job, a record.Act) (job.Job, error)
}

// A RefusedError says why a job is not retried.
type RefusedError struct{ Text string }

// Error returns the text.
func (e *RefusedError) Error() string { return "sweep: " + e.Text }

// Reasons that samples of bulks give.
const (
	endedMeanwhile = "It had ended when the bulk came to it."
	retriedBefore  = "It was retried before. That retry is a job of its own."
	beingRetried   = "Another retry of it goes on."
	goneMeanwhile  = "It was removed when the bulk came to it."
	triedAgain     = "It failed three times with a fault of the service, whose log says more."
)

// A bulking is the part of one sweep that goes on with bulks: a page of jobs of each in
// turn. It records each job of a bulk after it has done something to it. If it is
// killed in between, the next one finds that done.
type bulking struct {
	*Sweeper

	left       int // jobs that it may still come to
	end        time.Time
	unfinished bool // there is more to do than one sweep may
	faulty     bool // something failed that is no job's fault: there may be more to do
}

func newBulking(s *Sweeper) *bulking {
	return &bulking{Sweeper: s, left: bulkJobs, end: time.Now().Add(bulkTime)}
}

// step goes on with each bulk that has not ended. It returns how many jobs it came to.
func (b *bulking) step(ctx context.Context) (n int, more bool, err error) {
	open, err := b.Record.OpenBulks(ctx, openBulks)
	if err != nil || len(open) == 0 {
		b.faulty, b.unfinished = b.faulty || err != nil, b.unfinished && err != nil
		return 0, false, err
	}
	var errs []error
	stuck := 0
	for _, bulk := range open {
		met, goesOn, err := b.page(ctx, bulk)
		n += met
		if !goesOn {
			stuck++
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("bulk %s: %w", bulk.ID, err))
		}
	}
	b.left -= n
	b.faulty = b.faulty || len(errs) > 0
	b.unfinished = true // until a look finds none
	return n, stuck < len(open) && b.room(), errors.Join(errs...)
}

// hurries reports whether the next sweep is to come within seconds. It need not if this
// one only met a fault, which would still be there.
func (b *bulking) hurries() bool { return b.unfinished && (!b.faulty || b.left < bulkJobs) }

// room reports whether the sweep may come to a further job.
func (b *bulking) room() bool { return b.left > 0 && time.Now().Before(b.end) }

// page goes on with a bulk: with the next page of its jobs. goesOn tells whether this
// sweep can do more of it.
func (b *bulking) page(ctx context.Context, bulk record.Bulk) (met int, goesOn bool, err error) {
	if bulk.State == record.BulkAborting {
		_, err := b.Record.AdvanceBulk(ctx, bulk, record.BulkStep{End: true})
		return 0, false, unlessMoved(err)
	}
	targets, err := b.Record.BulkTargets(ctx, bulk, bulkPage)
	if err != nil {
		return 0, false, err
	}
	for _, t := range targets.Jobs {
		if !bulk.Meets(t.Job) {
			continue
		}
		if bulk.State != record.BulkRunning || !time.Now().Before(b.end) {
			return met, bulk.State != record.BulkRunning, nil
		}
		s, failed := b.meet(ctx, bulk, t)
		if bulk, err = b.Record.AdvanceBulk(ctx, bulk, s); err != nil || s.Again {
			return met, false, errors.Join(failed, unlessMoved(err))
		}
		met++
	}
	_, err = b.Record.AdvanceBulk(ctx, bulk, record.BulkStep{Cursor: targets.Next, End: targets.Next == ""})
	return met, err == nil && targets.Next != "", unlessMoved(err)
}

// unlessMoved returns no error if another sweep went on with the bulk: that one does
// the rest.
func unlessMoved(err error) error {
	if errors.Is(err, record.ErrBulkMoved) {
		return nil
	}
	return err
}

// meet does to a job what the bulk is for, and returns the step that tells of it. A
// fault that is not the job's lets the bulk wait, and is returned. After
// record.MaxBulkTries of them in a row, the job counts as failed.
func (b *bulking) meet(ctx context.Context, bulk record.Bulk, t record.BulkTarget) (record.BulkStep, error) {
	s := record.BulkStep{JobID: t.Job.ID, Cursor: t.Job.ID}
	a := bulk.Act
	a.Action, a.Bulk = bulk.Action.JobAct(), bulk.ID
	var err error
	if bulk.Action == record.BulkCancel {
		s.Outcome, s.Reason, err = b.cancelIn(ctx, t.Job, a)
	} else {
		s.Outcome, s.Reason, err = b.retryIn(ctx, t, a)
	}
	switch refused, isRefused := errors.AsType[*RefusedError](err); {
	case err == nil:
	case isRefused:
		s.Outcome, s.Reason, err = record.BulkJobFailed, refused.Text, nil
	case bulk.Tries+1 < record.MaxBulkTries || ctx.Err() != nil:
		s = record.BulkStep{Again: true}
	default:
		s.Outcome, s.Reason = record.BulkJobFailed, triedAgain
		b.Log.ErrorContext(ctx, "a job of a bulk fails again and again", "bulk", bulk.ID, "job_id", t.Job.ID, "error", err)
		err = nil
	}
	return s, err
}

// cancelIn cancels a job for a bulk. One that the bulk has canceled before counts as
// done: a sweep was killed before it recorded that, or another one does so just now.
func (b *bulking) cancelIn(ctx context.Context, j job.Job, a record.Act) (record.BulkOutcome, string, error) {
	_, err := b.Record.CancelByHand(ctx, j.ID, a)
	switch {
	case errors.Is(err, record.ErrNotFound):
		return record.BulkJobSkipped, goneMeanwhile, nil
	case !errors.Is(err, record.ErrEnded):
		return record.BulkJobDone, "", err
	}
	in, err := b.Record.Inspect(ctx, j.ID)
	if err != nil && !errors.Is(err, record.ErrNotFound) {
		return "", "", err
	}
	for _, e := range in.Acts {
		if e.Act.Action == record.ActionCancelJob && e.Detail["bulk"] == a.Bulk {
			return record.BulkJobDone, "", nil
		}
	}
	return record.BulkJobSkipped, endedMeanwhile, nil
}

// retryIn retries a job for a bulk, unless it was retried before: by the bulk, which
// counts as done, or otherwise.
func (b *bulking) retryIn(ctx context.Context, t record.BulkTarget, a record.Act) (record.BulkOutcome, string, error) {
	switch {
	case t.Own:
		return record.BulkJobDone, "", nil
	case t.Retry != "":
		return record.BulkJobSkipped, retriedBefore, nil
	}
	again, err := b.Retrier.Retry(ctx, t.Job, a)
	switch {
	case err != nil:
		return "", "", err
	case again.Input.Retry == nil || again.Input.Retry.Bulk != a.Bulk:
		return record.BulkJobSkipped, beingRetried, nil
	}
	return record.BulkJobDone, "", nil
}

// askForBulks asks for the next sweep, which goes on with bulks. It fails with
// ErrNoNextSweep.
func (s *Sweeper) askForBulks(ctx context.Context) error {
	if err := s.Producer.AskForSweepAt(ctx, time.Now().Add(nextBulk)); err != nil {
		return fmt.Errorf("%w: %w", ErrNoNextSweep, err)
	}
	return nil
}
