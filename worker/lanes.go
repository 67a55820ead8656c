package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/status"
)

// openLane is a lane with what this process knows of its state. The record
// knows more; this keeps slots from being taken in vain.
type openLane struct {
	Lane
	breaker lane.Breaker

	mu      sync.Mutex
	closed  time.Time // the lane is paused until then
	since   time.Time // when that was last heard
	resumed bool      // the record is known to say that the lane is in order
}

// close notes that the lane is paused for d from now.
func (l *openLane) close(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.since, l.resumed = now, false
	l.closed = latest(l.closed, now.Add(d))
}

// closedFor is how much longer the lane is paused, as far as is known here.
func (l *openLane) closedFor() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Until(l.closed)
}

// open notes that a request which was sent at a time was answered well, and
// reports whether that is to be recorded. A request sent before the lane was
// closed says nothing: answers take their time.
func (l *openLane) open(sent time.Time) (news bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sent.Before(l.since) {
		return false
	}
	l.breaker.Succeeded()
	news = !l.resumed
	l.closed, l.resumed = time.Time{}, true
	return news
}

// served takes note of the answer to a request sent at a time, which shows the
// lane to be in order, and ends the pause that it was on probation after. The
// first such answer of a process is recorded in any case: another one may have
// paused the lane and be gone.
func (w *Worker) served(ctx context.Context, l *openLane, sent time.Time) {
	if !l.open(sent) {
		return
	}
	if err := w.Store.Resume(ctx, l.Name); err != nil {
		w.Log.WarnContext(ctx, "lane works, but is not recorded so", "lane", l.Name, "error", err)
		return
	}
	w.Log.InfoContext(ctx, "lane works", "lane", l.Name)
}

// failed takes note of a failure, which may close the lane, or all lanes of
// its billing account.
func (w *Worker) failed(ctx context.Context, l *openLane, f *job.Failure) {
	d := lane.ClosedFor(f, time.Now())
	if d == 0 && f.ByProvider() {
		d = l.breaker.Failed()
	}
	if d <= 0 {
		return
	}
	var lanes []lane.Lane
	for _, other := range w.Lanes {
		lanes = append(lanes, other.Lane)
	}
	names := lane.Closes(f, l.Lane.Lane, lanes)
	for _, name := range names {
		w.lanes[name].close(d)
	}
	broken := f.Remedy == job.RemedyStop
	w.Log.ErrorContext(ctx, "lane paused", "lanes", names, "for", d.String(), "broken", broken, "error", f)
	if err := w.Store.Pause(ctx, names, status.Pause{For: d, Broken: broken, Reason: f.Public}); err != nil {
		w.Log.ErrorContext(ctx, "the pause is not recorded; other instances find out themselves", "error", err)
	}
}

// passOn gives the task's image to the lane that will reach it first, now that
// this one cannot be used for a while.
func (w *Worker) passOn(ctx context.Context, t job.Task, from string, closed time.Duration) (Verdict, error) {
	model := ""
	if l, ok := w.lanes[from]; ok {
		model = l.Model.Name
	}
	to, at, err := w.Router.Route(ctx, model)
	if err != nil {
		return VerdictUnavailable, fmt.Errorf("worker: pass task %s on: %w", t.ID(), err)
	}
	if to == "" || to == from {
		to = from
		if again := time.Now().Add(closed); closed > 0 && again.After(at) {
			at = again
		}
	}
	return w.postpone(ctx, t, to, at)
}

// postpone gives the task's image a task on a lane, for not before at.
func (w *Worker) postpone(ctx context.Context, t job.Task, to string, at time.Time) (Verdict, error) {
	next, err := w.Store.Postpone(ctx, t, to)
	if err != nil {
		return claimVerdict(ctx, err)
	}
	if err := w.Router.Put(ctx, at, next); err != nil {
		// The record says that the task is missing; the sweep makes up for it.
		return VerdictDone, fmt.Errorf("worker: postpone task %s: %w", t.ID(), err)
	}
	return VerdictDone, nil
}

// nextLane is where an image goes whose attempt ended, and the time before
// which it cannot be served there.
func (w *Worker) nextLane(ctx context.Context, l *openLane, f *job.Failure) (to string, at time.Time) {
	if f.Remedy == job.RemedyRetry && l.closedFor() <= 0 {
		return l.Name, time.Time{} // the lane is not at fault
	}
	to, at, err := w.Router.Route(ctx, l.Model.Name)
	if err != nil || to == "" {
		if err != nil && !errors.Is(err, context.Canceled) {
			w.Log.WarnContext(ctx, "no other lane could be looked for", "error", err)
		}
		to = l.Name
	}
	if to == l.Name {
		if left := l.closedFor(); left > 0 {
			at = time.Now().Add(left)
		}
	}
	return to, at
}
