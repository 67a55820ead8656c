package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

// openLane is a lane with its state as far as this process knows it. The record
// knows more; openLane keeps deliveries from taking slots that they cannot use.
type openLane struct {
	quota     lane.Lane
	model     job.Model
	generator Generator
	pacer     Pacer
	breaker   lane.Breaker

	mu      sync.Mutex
	closed  time.Time // the lane is paused until then
	since   time.Time // when this process last heard that
	resumed time.Time // when this process last recorded a good answer
}

// close notes that the lane is paused for d from now.
func (l *openLane) close(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.since = now
	l.closed = latest(l.closed, now.Add(d))
}

// closedFor returns how much longer the lane is paused, as far as this process
// knows.
func (l *openLane) closedFor() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Until(l.closed)
}

// open notes that a request was answered well whose image was claimed at a
// time. If the lane was on probation then, open reports whether the answer
// should be recorded. It need not be if another image's was, after the claim. An
// image that was claimed before the lane was closed does not open it: answers
// take their time.
func (l *openLane) open(claimed time.Time, probation bool) (news bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !claimed.Before(l.since) {
		l.breaker.Succeeded()
		l.closed = time.Time{}
	}
	if news = probation && l.resumed.Before(claimed); news {
		l.resumed = time.Now()
	}
	return news
}

// forget makes the next good answer one that should be recorded.
func (l *openLane) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.resumed = time.Time{}
}

// noteAnswer handles a good answer to the attempt's request. The answer shows
// that the lane is in order, and ends the pause after which the lane was on
// probation, whichever process began that. The answer does not end a pause that
// began after its image was claimed, but is recorded all the same: it disproves
// what images said of the lane before; see strike.
func (a *attempt) noteAnswer(ctx context.Context) {
	l := a.lane
	if !l.open(a.claimed, a.claim.Probation) {
		return
	}
	err := a.worker.record.Resume(ctx, l.quota.Name, a.claim.Image().StartedAt)
	if err == nil {
		a.log.InfoContext(ctx, "lane works")
		return
	}
	if !errors.Is(err, record.ErrLanePaused) {
		l.forget()
		a.log.WarnContext(ctx, "lane works, but is not recorded so", "error", err)
	}
}

// noteFailure handles a failure. It may close the lane, or all lanes of its
// billing account.
func (w *Worker) noteFailure(ctx context.Context, l *openLane, f *job.Failure) {
	d := lane.ClosedFor(f)
	if d == 0 && f.ByProvider() {
		d = l.breaker.Failed()
	}
	if d <= 0 {
		return
	}
	names := lane.Closes(f, l.quota, w.quotas)
	for _, name := range names {
		w.lanes[name].close(d)
	}
	broken := f.Remedy == job.RemedyStop
	w.log.ErrorContext(ctx, "lane paused", "lanes", names, "for", d.String(), "broken", broken, "error", f)
	if err := w.record.Pause(ctx, names, record.Pause{For: d, Broken: broken, Reason: f.Public}); err != nil {
		w.log.ErrorContext(ctx, "the pause is not recorded; other instances find out themselves", "error", err)
	}
}

// passOn gives the task's image, which is one of a model, a task on the lane that
// will reach it first. Its own lane cannot be used for a while, or at all. If no
// lane serves the model, the image is parked. The image may turn out to be one of
// another model; then that decides.
func (w *Worker) passOn(ctx context.Context, t job.Task, model string, closed time.Duration) (Verdict, error) {
	to, at, err := w.router.Route(ctx, model)
	if err != nil {
		return VerdictUnavailable, fmt.Errorf("worker: pass task %s on: %w", t.ID(), err)
	}
	l, known := w.lanes[to]
	if !known {
		return w.park(ctx, t, model)
	}
	if again := time.Now().Add(closed); to == t.Lane && closed > 0 {
		at = latest(at, again)
	}
	return w.postpone(ctx, t, model, l, at)
}

// postpone gives the task's image, which is one of a model, another task on a lane,
// to be delivered not before at.
func (w *Worker) postpone(ctx context.Context, t job.Task, model string, to *openLane, at time.Time) (Verdict, error) {
	next, err := w.record.Postpone(ctx, t, model, record.Place{Lane: to.quota.Name, Model: to.quota.Model})
	if stray, ok := errors.AsType[*record.ModelError](err); ok {
		return w.passOn(ctx, t, stray.Model, 0)
	}
	if err != nil {
		return claimVerdict(ctx, err)
	}
	if err := w.router.Put(ctx, at, next); err != nil {
		// The record says that the task is missing, and the sweep puts it.
		return VerdictDone, fmt.Errorf("worker: postpone task %s: %w", t.ID(), err)
	}
	return VerdictDone, nil
}

// park makes the task's image, which is one of a model, wait until a lane serves
// that. The sweep gives it a task then.
func (w *Worker) park(ctx context.Context, t job.Task, model string) (Verdict, error) {
	err := w.record.Park(ctx, t, model)
	if stray, ok := errors.AsType[*record.ModelError](err); ok {
		return w.passOn(ctx, t, stray.Model, 0)
	}
	if err != nil {
		return claimVerdict(ctx, err)
	}
	w.log.WarnContext(ctx, "image parked: no lane serves its model", "job_id", t.JobID, "model", model)
	return VerdictDone, nil
}

// nextLane returns the lane that an image goes to after its attempt ended, and
// the time before which that lane cannot serve it.
func (w *Worker) nextLane(ctx context.Context, l *openLane, f *job.Failure) (to string, at time.Time) {
	if f.Remedy == job.RemedyRetry && l.closedFor() <= 0 {
		return l.quota.Name, time.Time{} // its own lane works
	}
	to, at, err := w.router.Route(ctx, l.quota.Model)
	if err != nil || to == "" {
		if err != nil && !errors.Is(err, context.Canceled) {
			w.log.WarnContext(ctx, "no other lane could be looked for", "error", err)
		}
		to = l.quota.Name
	}
	if to == l.quota.Name {
		if left := l.closedFor(); left > 0 {
			at = time.Now().Add(left)
		}
	}
	return to, at
}
