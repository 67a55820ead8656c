package snapshot

import (
	"context"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// Snapshot returns the job as callers see it, from Redis where that can be
// believed, else from the record. It fails with record.ErrNotFound.
func (r *Record) Snapshot(ctx context.Context, id string) (Snapshot, error) {
	if snap, ok := r.cache.get(ctx, id); ok {
		return snap, nil
	}
	j, err := r.record.Get(ctx, id)
	if err != nil {
		return Snapshot{}, err
	}
	snap, err := r.renderer.Render(j)
	if err != nil {
		return Snapshot{}, err
	}
	r.cache.put(ctx, snap)
	return snap, nil
}

// Render returns the snapshot of a job that the caller has at hand.
func (r *Record) Render(j job.Job) (Snapshot, error) { return r.renderer.Render(j) }

// recheck is how often Await looks for itself, in case Redis is away or an
// event was lost.
const recheck = 2 * time.Second

// lastRead bounds the reading of a job for a wait that is over. It must be less
// than what a process has left to end when it ends the waits.
const lastRead = time.Second

// Await returns the job's snapshot once the job has ended, or as it is when
// ctx does. It fails with record.ErrNotFound.
func (r *Record) Await(ctx context.Context, id string) (Snapshot, error) {
	news := make(chan string, 1) // the latest event that was not looked at yet
	ready, stop := r.events.listen(ctx, EventsChannel(id), func(payload string) {
		select {
		case <-news:
		default:
		}
		news <- payload
	})
	defer stop()
	select {
	case <-ready: // what happens from here on is not missed
	case <-ctx.Done():
	case <-time.After(recheck):
	}
	look := time.NewTicker(recheck)
	defer look.Stop()
	snap, err := r.Snapshot(ctx, id)
	for err == nil && !snap.Status.Terminal() && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case doc := <-news:
			if next, bad := Parse([]byte(doc)); bad == nil && next.Version > snap.Version {
				snap = next
			}
		case <-look.C:
			snap, err = r.Snapshot(ctx, id)
		}
	}
	if err == nil || ctx.Err() == nil {
		return snap, err
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRead)
	defer cancel()
	return r.Snapshot(last, id)
}

// OnCancel calls f once the job is canceled, perhaps more than once, until stop
// is called.
//
// It is a shortcut: without Redis, work learns the same when it renews its
// lease.
func (r *Record) OnCancel(ctx context.Context, jobID string, f func()) (stop func()) {
	_, stop = r.events.listen(ctx, CancelChannel, func(canceled string) {
		if canceled == jobID {
			f()
		}
	})
	return stop
}
