package snapshot

import (
	"context"
	"time"
)

const (
	// recheck is how often a watch looks at its job itself while it hears no
	// events, because Redis is away.
	recheck = 2 * time.Second
	// recheckHeard is how often it looks while it hears events. It then misses
	// one only if Redis was away for the process that published it.
	recheckHeard = 10 * time.Second
)

// A Watch follows the versions of one job. It keeps only the newest event, so
// one whose owner is slow costs no memory and holds up nobody. One goroutine at
// a time may use it.
type Watch struct {
	record   *Record
	id       string
	listener *listener
	ready    <-chan struct{} // of the listener, until it was seen closed
	stop     func()
	news     chan string // the latest event that Next has not looked at yet
	ticks    *time.Ticker
	looked   time.Time // when Next looked at the job itself; zero before that
	version  int64     // that Next returned last
}

// Watch begins to follow a job. The caller must close the watch. Watch itself
// reads nothing, and does not wait.
func (r *Record) Watch(ctx context.Context, id string) *Watch {
	w := &Watch{record: r, id: id, news: make(chan string, 1), ticks: time.NewTicker(recheck)}
	w.listener, w.stop = r.events.listen(ctx, EventsChannel(id), func(payload string) {
		select {
		case <-w.news:
		default:
		}
		w.news <- payload
	})
	w.ready = w.listener.ready
	return w
}

// Close ends the watch.
func (w *Watch) Close() {
	w.stop()
	w.ticks.Stop()
}

// Next returns the job as it is, and later the newest version above the one that
// it returned before, once there is one. If ctx ends first, Next fails with the
// error of ctx. It fails with record.ErrNotFound, and if the job cannot be read.
// It may be called again after any error.
func (w *Watch) Next(ctx context.Context) (Snapshot, error) {
	if w.looked.IsZero() {
		w.awaitReady(ctx)
		if snap, err := w.look(ctx); err != nil || snap.Version > w.version {
			return w.returned(ctx, snap, err)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return Snapshot{}, ctx.Err()
		case doc := <-w.news:
			if snap, err := Parse([]byte(doc)); err == nil && snap.Version > w.version {
				return w.returned(ctx, snap, nil)
			}
			continue
		case <-w.ready:
			w.ready = nil // it is heard only now, and Next looked before that
		case <-w.listener.again:
		case <-w.ticks.C:
			if w.record.events.hears(EventsChannel(w.id)) && time.Since(w.looked) < recheckHeard {
				continue
			}
		}
		if snap, err := w.look(ctx); err != nil || snap.Version > w.version {
			return w.returned(ctx, snap, err)
		}
	}
}

// awaitReady waits until the watch hears of its job: what happens from then on
// is not missed. It waits for a while at most.
func (w *Watch) awaitReady(ctx context.Context) {
	select {
	case <-w.ready:
		w.ready = nil
	case <-ctx.Done():
	case <-w.ticks.C:
	}
}

// look reads the job.
func (w *Watch) look(ctx context.Context) (Snapshot, error) {
	snap, err := w.record.Snapshot(ctx, w.id)
	if err == nil {
		w.looked = time.Now()
	}
	return snap, err
}

// returned notes what Next returns, and returns it.
func (w *Watch) returned(ctx context.Context, snap Snapshot, err error) (Snapshot, error) {
	switch {
	case err == nil:
		w.version = snap.Version
		return snap, nil
	case ctx.Err() != nil:
		return Snapshot{}, ctx.Err()
	default:
		return Snapshot{}, err
	}
}
