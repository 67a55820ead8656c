// Package sweep finds what crashes left behind, and mends it: tasks that never
// reached their queue or are gone from it, images whose worker died, jobs past
// their deadline, jobs past retention, and what is stored for no job. It also
// gives images a place on a lane that serves them, evens out what waits on the
// lanes of a model, and goes on with operators' bulks. It asks for the next sweep as
// long as there is work.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

// ErrNoNextSweep means that there is work left, but that no next sweep could be
// asked for.
var ErrNoNextSweep = errors.New("sweep: the next one could not be asked for")

const (
	// page bounds what one step of a sweep handles at a time.
	page = 100
	// timeLimit is after what time a sweep begins no further page. The next
	// sweep does the rest. It lies below Cloud Scheduler's attempt deadline,
	// which is 3 min by default.
	timeLimit = 150 * time.Second
	// pageLimit is how much longer its last page may take. What is left then is
	// for the report, and to ask for the next sweep.
	pageLimit = 15 * time.Second

	// maxErrors bounds how many errors of one kind a sweep returns.
	maxErrors = 5
	// maxAtOnce bounds how much of a page is handled at the same time.
	maxAtOnce = 8

	// unsentAge is how long a task may take from the record to its queue.
	unsentAge = time.Minute
	// unheardAge is how long an image waits before its task is looked for.
	unheardAge = 10 * time.Minute
	// reapGrace is how long after the end of a lease the image's task may still
	// come again by itself.
	reapGrace = 5 * time.Minute
)

// Swept counts what a sweep found and mended.
type Swept struct {
	Sent     int `json:"sent"`     // tasks that never reached their queue
	Renewed  int `json:"renewed"`  // tasks that were gone from their queue
	Reaped   int `json:"reaped"`   // images whose worker died
	Expired  int `json:"expired"`  // jobs past their deadline
	Removed  int `json:"removed"`  // jobs past retention
	Orphans  int `json:"orphans"`  // stored objects past retention that are no job's
	Uploads  int `json:"uploads"`  // input pictures that a caller uploaded more than a day ago
	Released int `json:"released"` // images that were held for want of room in a budget
	Settled  int `json:"settled"`  // images that ended with a reservation of a budget left
	Moved    int `json:"moved"`    // images that went to another lane, were parked or no longer are
	Told     int `json:"told"`     // tasks of webhooks that never reached their queue, or that are overdue
	Sums     int `json:"sums"`     // sums of hours that began more than 400 days ago
	Audits   int `json:"audits"`   // entries of the audit that are past their time
	Budgets  int `json:"budgets"`  // periods of budgets that ended more than 400 days ago
	Bulked   int `json:"bulked"`   // jobs that bulks came to
	Bulks    int `json:"bulks"`    // bulks that ended more than 400 days ago
	Attempts int `json:"attempts"` // attempts that ended more than 400 days ago
}

// A Producer puts tasks on the queues of lanes, and finds them there.
type Producer interface {
	// Put puts tasks on their lanes' queues, to be delivered not before at, or
	// at once if that is zero.
	Put(ctx context.Context, at time.Time, tasks ...job.Task) error
	// Gone reports whether a task is on no queue.
	Gone(ctx context.Context, t job.Task) (bool, error)
	// Route chooses the lane that will soonest reach one more image of the
	// model, and the time before which that lane cannot. It returns an empty
	// lane if none serves the model.
	Route(ctx context.Context, model string) (lane string, at time.Time, err error)
	// AskForSweep asks for a sweep within about ten minutes of now.
	AskForSweep(ctx context.Context, now time.Time) error
	// AskForSweepSoon asks for a sweep within two minutes of now.
	AskForSweepSoon(ctx context.Context, now time.Time) error
	// AskForSweepAt asks for a sweep at a time, unless that is too far ahead.
	AskForSweepAt(ctx context.Context, at time.Time) error
}

// Objects are the stored pictures.
type Objects interface {
	// RemoveJob deletes all that may be stored for a job.
	RemoveJob(ctx context.Context, j job.Job) error
	// Remove deletes objects. One that does not exist counts as deleted.
	Remove(ctx context.Context, keys ...string) error
	// RemoveUploads deletes uploads that were signed before a time, and reports
	// whether there may be more.
	RemoveUploads(ctx context.Context, before time.Time) (n int, more bool, err error)
	// List returns a page of the objects of jobs made before a time, and what to
	// pass as after to get the next page; empty after the last.
	List(ctx context.Context, after string, before time.Time) (page []job.StoredObject, next string, err error)
}

// A WebhookProducer puts tasks of webhooks on their queue, notes that, and returns
// how many it put.
type WebhookProducer interface {
	Put(ctx context.Context, due ...record.WebhookDue) (int, error)
}

// Sweeper finds what crashes left behind, and mends it. Sweeps may overlap.
type Sweeper struct {
	Record    record.Record
	Producer  Producer
	Lanes     []lane.Lane
	Objects   Objects
	Retention time.Duration // jobs that ended longer ago are removed; 0 keeps them
	Budgets   record.BudgetBook
	Log       *slog.Logger
	Webhooks  WebhookProducer // nil in a service that has no queue for webhooks: they wait
	Retrier   Retrier         // of jobs that a bulk retries

	now func() time.Time // nil is time.Now; which jobs are past retention, the record's clock tells
}

// Sweep does one round: each step, page by page, until there is nothing left or
// the time is up, whatever a service does not answer. It goes on after a step that
// fails, and returns the errors of all steps. It logs what it did, and what waits then.
// If there is work left, it asks for the next sweep, and for one soon if there was more
// to move than one sweep may; if it cannot, the error wraps ErrNoNextSweep.
func (s *Sweeper) Sweep(ctx context.Context) (Swept, error) { return s.sweep(ctx, false) }

// SweepDaily does what Sweep does. It also lists what is stored past retention,
// and removes what is no job's. Each page of the list costs money.
func (s *Sweeper) SweepDaily(ctx context.Context) (Swept, error) { return s.sweep(ctx, true) }

// A mend mends a page of what a step of a sweep is about, and returns how much that was
// and whether there may be more.
type mend func(context.Context) (n int, more bool, err error)

// onlyDaily returns what a step does, or nothing unless the sweep is the daily one: it
// costs money, or there is no more to remove before.
func onlyDaily(daily bool, does mend) mend {
	if daily {
		return does
	}
	return func(context.Context) (int, bool, error) { return 0, false, nil }
}

func (s *Sweeper) sweep(ctx context.Context, daily bool) (Swept, error) {
	var swept Swept
	var errs []error
	end := time.Now().Add(timeLimit)
	mending, cancel := context.WithDeadline(ctx, end.Add(pageLimit))
	defer cancel()
	placing, releasing, bulking := newPlacing(s), &releasing{Sweeper: s}, newBulking(s)
	for _, step := range []struct {
		name  string
		count *int
		mend  mend
	}{
		{"expire", &swept.Expired, s.expire},
		{"reap", &swept.Reaped, s.reap},
		{"settle", &swept.Settled, s.settle},
		{"release", &swept.Released, releasing.step},
		{"place", &swept.Moved, placing.step},
		{"send", &swept.Sent, s.send},
		{"renew", &swept.Renewed, s.renew},
		{"tell", &swept.Told, s.tell},
		{"go on with bulks", &swept.Bulked, bulking.step},
		{"remove sums", &swept.Sums, onlyDaily(daily, s.forgetSums)},
		{"retire the audit", &swept.Audits, onlyDaily(daily, s.retireAudit)},
		{"retire bulks", &swept.Bulks, onlyDaily(daily, s.retireBulks)},
		{"retire budgets", &swept.Budgets, onlyDaily(daily, s.retireBudgets)},
		{"retire attempts", &swept.Attempts, onlyDaily(daily, s.retireAttempts)},
		{"remove", &swept.Removed, s.remove}, // and what else waits for the bucket
		{"remove orphans", &swept.Orphans, onlyDaily(daily, s.orphans())},
		{"remove uploads", &swept.Uploads, onlyDaily(daily, s.uploads())},
	} {
		for more := true; more && time.Now().Before(end); {
			n, full, err := step.mend(mending)
			*step.count += n
			more = full
			if err != nil && len(errs) < maxErrors {
				errs = append(errs, fmt.Errorf("sweep: %s: %w", step.name, err))
			}
		}
	}
	b, err := s.report(ctx, swept)
	if err != nil {
		errs = append(errs, fmt.Errorf("sweep: %w", err))
	}
	if bulking.hurries() {
		errs = append(errs, s.askForBulks(ctx))
	}
	if err != nil || bulking.unfinished || bulking.faulty || b.Waiting+b.Processing+b.Untold > 0 { // if it is not known what is left, there may be something
		errs = append(errs, s.askForNext(ctx, b.Held > 0, placing.unfinished || bulking.faulty || mayFree(b)))
	}
	return swept, errors.Join(errs...)
}

// mayFree reports whether images are held while others are on their way, which may turn
// out cheaper than what is reserved for them.
func mayFree(b record.Backlog) bool {
	return b.Held > 0 && b.Processing+b.Waiting-b.Parked-b.Held > 0
}

// askForNext asks for the next sweep. If images are held, it also asks for one at the time
// when a period of a budget begins. With soon it also asks for one within two minutes. It
// fails with ErrNoNextSweep.
func (s *Sweeper) askForNext(ctx context.Context, held, soon bool) error {
	err := s.Producer.AskForSweep(ctx, time.Now())
	if held {
		err = errors.Join(err, s.askForBudgets(ctx))
	}
	if soon {
		err = errors.Join(err, s.Producer.AskForSweepSoon(ctx, time.Now()))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoNextSweep, err)
	}
	return nil
}

// report logs a sweep, and returns what is left to do. Alerts go by the message and by
// its fields waiting and oldest_waiting_seconds.
func (s *Sweeper) report(ctx context.Context, swept Swept) (record.Backlog, error) {
	attrs := []any{
		"sent", swept.Sent, "renewed", swept.Renewed, "reaped", swept.Reaped,
		"expired", swept.Expired, "removed", swept.Removed, "orphans", swept.Orphans, "uploads", swept.Uploads,
		"moved", swept.Moved, "released", swept.Released, "settled", swept.Settled, "told", swept.Told,
		"sums", swept.Sums, "audits", swept.Audits, "budgets", swept.Budgets, "bulked", swept.Bulked, "bulks", swept.Bulks,
		"attempts", swept.Attempts,
	}
	b, err := s.Record.Backlog(ctx, unsentAge)
	if err == nil {
		attrs = append(attrs, "waiting", b.Waiting, "parked", b.Parked, "held", b.Held, "oldest_waiting_seconds", b.Waits.Seconds())
	}
	s.Log.InfoContext(ctx, "swept", attrs...)
	if s.Webhooks == nil {
		b.Untold = 0 // no sweep could do anything about these
	}
	return b, err
}

// expire fails the images of jobs that are past their deadline.
func (s *Sweeper) expire(ctx context.Context) (n int, more bool, err error) {
	jobs, err := s.Record.Expire(ctx, job.DeadlineExceeded(), page)
	return len(jobs), len(jobs) == page, err
}

// reap puts back images whose worker died and whose task did not come again.
func (s *Sweeper) reap(ctx context.Context) (n int, more bool, err error) {
	_, tasks, err := s.Record.Reap(ctx, reapGrace, page)
	if err != nil {
		return 0, false, err
	}
	_, err = forEach(ctx, tasks, s.put)
	return len(tasks), len(tasks) == page, err
}

// send puts tasks on their queues that never got there.
func (s *Sweeper) send(ctx context.Context) (n int, more bool, err error) {
	tasks, err := s.Record.Unsent(ctx, unsentAge, page)
	if err != nil {
		return 0, false, err
	}
	n, err = forEach(ctx, tasks, s.put)
	return n, n > 0 && len(tasks) == page, err
}

// renew looks up the tasks of images that have waited long, and replaces those
// that are gone: the queue was purged, or gave up on them. A task's name stays
// taken after its end, so the task of another dispatch takes its place. renew
// goes on as long as a page has a task that is gone. So one sweep mends a
// purged queue, and a long queue that is in order costs one page of calls.
func (s *Sweeper) renew(ctx context.Context) (n int, more bool, err error) {
	tasks, err := s.Record.Unheard(ctx, unheardAge, page)
	if err != nil {
		return 0, false, err
	}
	n, err = forEach(ctx, tasks, func(ctx context.Context, t job.Task) (bool, error) {
		gone, err := s.Producer.Gone(ctx, t)
		if err != nil || !gone {
			return false, err
		}
		return true, s.replace(ctx, t)
	})
	return n, n > 0 && len(tasks) == page, err
}

// forEach calls do for every thing, several at the same time, and returns for how
// many it returned true and no error. One that fails does not stop the others. Of
// many errors forEach returns a few.
func forEach[T any](ctx context.Context, things []T, do func(context.Context, T) (bool, error)) (int, error) {
	done, errs := make([]bool, len(things)), make([]error, len(things))
	var g errgroup.Group
	g.SetLimit(maxAtOnce)
	for i, t := range things {
		g.Go(func() error {
			done[i], errs[i] = do(ctx, t)
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	n := 0
	var failed []error
	for i := range things {
		switch {
		case errs[i] != nil:
			failed = append(failed, errs[i])
		case done[i]:
			n++
		}
	}
	if more := len(failed) - maxErrors; more > 0 {
		failed = append(failed[:maxErrors], fmt.Errorf("and %d more failed", more))
	}
	return n, errors.Join(failed...)
}

// remove deletes jobs past retention, and their pictures first. If a crash cuts
// a removal short, the job is still there, and the next sweep finds what is
// left. A job that cannot be removed does not stop the others.
func (s *Sweeper) remove(ctx context.Context) (n int, more bool, err error) {
	if s.Retention == 0 {
		return 0, false, nil
	}
	jobs, err := s.Record.Retired(ctx, s.Retention, page)
	if err != nil {
		return 0, false, err
	}
	errs := make([]error, len(jobs))
	var g errgroup.Group
	g.SetLimit(maxAtOnce)
	for i, j := range jobs {
		g.Go(func() error {
			errs[i] = s.Remove(ctx, j)
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	failed := slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	n = len(jobs) - len(failed)
	return n, n > 0 && len(jobs) == page, errors.Join(failed[:min(len(failed), maxErrors)]...)
}

// Remove removes a job that has ended: its pictures first, so that a removal
// which is cut short can be repeated. A job that is gone counts as removed.
func (s *Sweeper) Remove(ctx context.Context, j job.Job) error {
	if err := s.Objects.RemoveJob(ctx, j); err != nil {
		return err
	}
	if err := s.Record.Delete(ctx, j.ID); err != nil && !errors.Is(err, record.ErrNotFound) {
		return err
	}
	return nil
}

// RemoveByHand does what Remove does, by an operator. It fails with
// record.ErrNotEnded before it removes anything, and with record.ErrNotFound.
func (s *Sweeper) RemoveByHand(ctx context.Context, j job.Job, a record.Act) error {
	if !j.Status.Terminal() {
		return record.ErrNotEnded
	}
	if err := s.Objects.RemoveJob(ctx, j); err != nil {
		return err
	}
	return s.Record.DeleteByHand(ctx, j.ID, a)
}
