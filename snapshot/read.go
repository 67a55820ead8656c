package snapshot

import (
	"context"
	"errors"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Snapshot returns the job as callers see it: from Redis if the snapshot there
// can be believed, or else from the record. It fails with record.ErrNotFound.
//
// It fails what is past the job's deadline first, except what a worker holds
// under a lease that has not run out. If that takes too long or fails, it returns
// the job without.
func (r *Record) Snapshot(ctx context.Context, id string) (Snapshot, error) {
	snap, ok := r.cache.get(ctx, id)
	if ok && !snap.overdue(r.renderer.Now()) {
		return snap, nil
	}
	if !ok {
		return r.read(ctx, id)
	}
	short, cancel := context.WithTimeout(ctx, expireTimeout)
	defer cancel()
	read, err := r.read(short, id)
	if err != nil && !errors.Is(err, record.ErrNotFound) {
		return snap, nil // it is as old as one that is believed
	}
	return read, err
}

// expireTimeout bounds how much longer a read takes because the job's deadline
// has passed.
const expireTimeout = 2 * time.Second

// read returns the job from the record, and repairs its snapshot.
func (r *Record) read(ctx context.Context, id string) (Snapshot, error) {
	j, err := r.record.Get(ctx, id)
	if err != nil {
		return Snapshot{}, err
	}
	j = r.expire(ctx, j)
	snap, err := r.renderer.Render(j)
	if err != nil {
		return Snapshot{}, err
	}
	r.cache.put(ctx, snap)
	return snap, nil
}

// expire fails the images of a job that are past its deadline, and returns the
// job as it is then, or as it was if that cannot be done. The record decides by
// its own clock what is past, and which leases have run out.
func (r *Record) expire(ctx context.Context, j job.Job) job.Job {
	if j.Status.Terminal() || j.ExpiresAt.After(r.renderer.Now()) {
		return j
	}
	ctx, cancel := context.WithTimeout(ctx, expireTimeout)
	defer cancel()
	expired, err := r.record.ExpireJob(ctx, j.ID, job.DeadlineExceeded())
	if err != nil {
		r.log.WarnContext(ctx, "a job past its deadline is shown as it was; the sweep will end it", "job_id", j.ID, "error", err)
		return j
	}
	if expired.Version == j.Version {
		return j // which tells more
	}
	go r.tell(ctx, nil, job.WebhookImageFailed, expired) // nobody who reads waits for a queue
	return expired
}

// Render returns the snapshot of a job that the caller already has.
func (r *Record) Render(j job.Job) (Snapshot, error) { return r.renderer.Render(j) }

// lastRead bounds the time to read a job for a wait that is over. When a
// process ends, it ends the waits; lastRead must be less than the time that it
// has left then.
const lastRead = time.Second

// Await returns the job's snapshot once the job has ended. If ctx ends before,
// it returns the snapshot of that time. It fails with record.ErrNotFound.
func (r *Record) Await(ctx context.Context, id string) (Snapshot, error) {
	w := r.Watch(ctx, id)
	defer w.Close()
	var known Snapshot
	for {
		snap, err := w.Next(ctx)
		switch {
		case err == nil && snap.Status.Terminal():
			return snap, nil
		case err == nil:
			known = snap
		case ctx.Err() == nil:
			return Snapshot{}, err
		default:
			return r.last(ctx, id, known)
		}
	}
}

// last reads a job for a wait that is over: an event does not say how long the
// job's images wait. If the job cannot be read, last returns what is known of it.
func (r *Record) last(ctx context.Context, id string, known Snapshot) (Snapshot, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRead)
	defer cancel()
	snap, err := r.Snapshot(ctx, id)
	if err != nil && known.Version > 0 {
		return known, nil
	}
	return snap, err
}

// OnCancel calls f once the job is canceled, perhaps more than once, until stop
// is called.
//
// It is a shortcut: without Redis, an attempt learns the same when it renews
// its lease.
func (r *Record) OnCancel(ctx context.Context, jobID string, f func()) (stop func()) {
	_, stop = r.events.listen(ctx, CancelChannel, func(canceled string) {
		if canceled == jobID {
			f()
		}
	})
	return stop
}
