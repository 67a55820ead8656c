package enqueue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/status"
)

const (
	// sweepPage bounds what one step of a sweep takes on at a time.
	sweepPage = 100
	// sweepTime is when a sweep begins no further page: what is left over is
	// the next one's. It lies below Cloud Scheduler's attempt deadline, which
	// is 3 min unless set.
	sweepTime = 150 * time.Second

	// unsentAge is how long a task may take from the record to its queue.
	unsentAge = time.Minute
	// unheardAge is how long an image waits before its task is looked for.
	unheardAge = 10 * time.Minute
	// reapGrace is how long after the end of a lease its task has to come
	// again by itself.
	reapGrace = 5 * time.Minute
)

// Swept counts what a sweep found and mended.
type Swept struct {
	Sent    int `json:"sent"`    // tasks that were missing from the start
	Renewed int `json:"renewed"` // tasks that were gone
	Reaped  int `json:"reaped"`  // images whose worker died
	Expired int `json:"expired"` // jobs past their deadline
	Removed int `json:"removed"` // jobs past retention
}

// A Remover deletes a job's stored pictures.
type Remover interface {
	Remove(ctx context.Context, keys ...string) error
}

// Sweeper finds what crashes left behind, and mends it. Sweeps may overlap.
type Sweeper struct {
	*Producer
	Objects   Remover
	Retention time.Duration // jobs that ended longer ago are removed; 0 keeps them
}

// Sweep does one round: each step, page by page, until there is nothing left
// or the time is up. It goes on after a step that fails, and returns what all
// of them met. It logs what it did, and what waits then. If that is anything, it
// asks for the next sweep, and an error has ErrNoNextSweep in it if it cannot.
func (s *Sweeper) Sweep(ctx context.Context) (Swept, error) {
	var swept Swept
	var errs []error
	end := time.Now().Add(sweepTime)
	for _, step := range []struct {
		name  string
		count *int
		page  func(context.Context) (n int, more bool, err error)
	}{
		{"expire", &swept.Expired, s.expire},
		{"reap", &swept.Reaped, s.reap},
		{"send", &swept.Sent, s.send},
		{"renew", &swept.Renewed, s.renew},
		{"remove", &swept.Removed, s.remove},
	} {
		for more := true; more && time.Now().Before(end); {
			n, full, err := step.page(ctx)
			*step.count += n
			if more = full && err == nil; err != nil {
				errs = append(errs, fmt.Errorf("sweep: %s: %w", step.name, err))
			}
		}
	}
	left, err := s.tell(ctx, swept)
	if err != nil {
		errs = append(errs, fmt.Errorf("sweep: %w", err))
	}
	if left {
		errs = append(errs, s.next.ask(ctx, time.Now()))
	}
	return swept, errors.Join(errs...)
}

// tell logs a sweep, and reports whether there is work left, as far as can be
// known. Alerts go by the message, waiting and oldest_waiting_seconds.
func (s *Sweeper) tell(ctx context.Context, swept Swept) (left bool, err error) {
	attrs := []any{
		"sent", swept.Sent, "renewed", swept.Renewed, "reaped", swept.Reaped,
		"expired", swept.Expired, "removed", swept.Removed,
	}
	b, err := s.store.Backlog(ctx, unsentAge)
	if err == nil {
		attrs = append(attrs, "waiting", b.Waiting, "oldest_waiting_seconds", b.Waits.Seconds())
	}
	s.log.InfoContext(ctx, "swept", attrs...)
	return err != nil || b.Waiting+b.Processing > 0, err
}

// expire fails what is past its deadline.
func (s *Sweeper) expire(ctx context.Context) (n int, more bool, err error) {
	jobs, err := s.store.Expire(ctx, job.DeadlineExceeded(), sweepPage)
	return len(jobs), len(jobs) == sweepPage, err
}

// reap puts images back whose worker died and whose task did not come again.
func (s *Sweeper) reap(ctx context.Context) (n int, more bool, err error) {
	_, tasks, err := s.store.Reap(ctx, reapGrace, sweepPage)
	if err != nil {
		return 0, false, err
	}
	_, err = s.each(ctx, tasks, s.put)
	return len(tasks), len(tasks) == sweepPage, err
}

// send puts tasks on their queues that never got there.
func (s *Sweeper) send(ctx context.Context) (n int, more bool, err error) {
	tasks, err := s.store.Unsent(ctx, unsentAge, sweepPage)
	if err != nil {
		return 0, false, err
	}
	_, err = s.each(ctx, tasks, s.put)
	return len(tasks), len(tasks) == sweepPage, err
}

// renew looks up the tasks of images that have waited long, and replaces those
// that are gone: purged, or given up on. An ended name stays taken, so that the
// task of another dispatch takes its place. It goes on as long as it finds any,
// so that a purged queue is mended in one sweep, and a long one that is in
// order costs a page of calls.
func (s *Sweeper) renew(ctx context.Context) (n int, more bool, err error) {
	tasks, err := s.store.Unheard(ctx, unheardAge, sweepPage)
	if err != nil {
		return 0, false, err
	}
	n, err = s.each(ctx, tasks, func(ctx context.Context, t job.Task) (bool, error) {
		gone, err := s.gone(ctx, t)
		if err != nil || !gone {
			return false, err
		}
		return true, s.replace(ctx, t)
	})
	return n, n > 0 && len(tasks) == sweepPage, err
}

// each does something with every task, some at once, and counts for how many
// it did. One that fails does not keep the others back.
func (s *Sweeper) each(
	ctx context.Context, tasks []job.Task, do func(context.Context, job.Task) (bool, error),
) (int, error) {
	done, errs := make([]bool, len(tasks)), make([]error, len(tasks))
	var g errgroup.Group
	g.SetLimit(maxCreating)
	for i, t := range tasks {
		g.Go(func() error {
			done[i], errs[i] = do(ctx, t)
			return nil
		})
	}
	_ = g.Wait() // the errors are in their places
	n := 0
	for _, d := range done {
		if d {
			n++
		}
	}
	return n, errors.Join(errs...)
}

// put puts a task on its queue. One whose lane is gone gives way to another.
func (s *Sweeper) put(ctx context.Context, t job.Task) (bool, error) {
	if _, known := s.queues[t.Lane]; !known {
		return true, s.replace(ctx, t)
	}
	return true, s.Put(ctx, time.Time{}, t)
}

// gone reports whether the task is on no queue.
func (s *Sweeper) gone(ctx context.Context, t job.Task) (bool, error) {
	queue, known := s.queues[t.Lane]
	if !known {
		return true, nil
	}
	_, err := s.queue.GetTask(ctx, &cloudtaskspb.GetTaskRequest{Name: taskName(queue, t)})
	if grpcstatus.Code(err) == codes.NotFound {
		return true, nil
	}
	return false, err
}

// replace gives the image that holds a task another one, and puts that on a
// queue.
func (s *Sweeper) replace(ctx context.Context, t job.Task) error {
	to := t.Lane
	if _, known := s.queues[to]; !known {
		to = s.lanes[0].Name
	}
	next, err := s.store.Postpone(ctx, t, to)
	if errors.Is(err, status.ErrHeld) || errors.Is(err, status.ErrNothingDue) {
		return nil // it came after all
	}
	if err != nil {
		return err
	}
	return s.Put(ctx, time.Time{}, next)
}

// remove deletes jobs past retention, their pictures first: what is left of a
// removal that a crash cut short is found again by the job. A job that cannot
// be removed keeps no other back.
func (s *Sweeper) remove(ctx context.Context) (n int, more bool, err error) {
	if s.Retention == 0 {
		return 0, false, nil
	}
	jobs, err := s.store.Retired(ctx, s.Retention, sweepPage)
	if err != nil {
		return 0, false, err
	}
	var errs []error
	for _, j := range jobs {
		err := s.Objects.Remove(ctx, objectKeys(j)...)
		if err == nil {
			err = s.store.Delete(ctx, j.ID)
		}
		if err != nil && !errors.Is(err, status.ErrNotFound) {
			errs = append(errs, err)
			continue
		}
		n++
	}
	return n, len(jobs) == sweepPage, errors.Join(errs...)
}

// objectKeys are the keys of all that is stored for a job.
func objectKeys(j job.Job) []string {
	var keys []string
	for _, in := range j.Input.InputImages {
		if in.Key != "" {
			keys = append(keys, in.Key)
		}
	}
	for _, img := range j.Images {
		if img.Object.Key != "" {
			keys = append(keys, img.Object.Key)
		}
	}
	return keys
}
