package cloudtasks

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/ai-worker/ai-worker/local/journal"
)

// An engine holds the queues and sends their tasks. One lock guards all of it; it
// is never held during a delivery.
type engine struct {
	opts   Options
	clock  Clock
	log    *slog.Logger
	client *http.Client
	signer *signer

	ctx      context.Context //nolint:containedctx // of every delivery, until the emulator closes
	stop     context.CancelCauseFunc
	attempts sync.WaitGroup // deliveries under way

	observing sync.Mutex // one call of Options.OnDispatch at a time

	mu         sync.Mutex
	closed     bool
	queues     map[string]*queue
	tasks      map[string]*task // of all queues
	removed    chan struct{}    // closed when a task is removed; then replaced
	ensured    map[string]*cloudtaskspb.Queue
	ended      *tombstones // names of tasks
	deleted    *tombstones // names of queues
	operations map[string]*longrunningpb.Operation
	cmek       map[string]*cloudtaskspb.CmekConfig
	rng        *rand.Rand
	seq        uint64
	sent       uint64 // deliveries, for Duplicates.Every
	journal    *journal.Journal[entry]
}

func newEngine(opts Options, s *signer) *engine {
	ctx, stop := context.WithCancelCause(context.Background())
	return &engine{
		opts: opts, clock: opts.Clock, log: opts.Logger, signer: s, ctx: ctx, stop: stop,
		client:     deliveryClient(opts.Transport),
		queues:     make(map[string]*queue),
		tasks:      make(map[string]*task),
		removed:    make(chan struct{}),
		ensured:    make(map[string]*cloudtaskspb.Queue),
		ended:      newTombstones(opts.TaskTombstone),
		deleted:    newTombstones(opts.QueueTombstone),
		operations: make(map[string]*longrunningpb.Operation),
		cmek:       make(map[string]*cloudtaskspb.CmekConfig),
		rng:        rand.New(rand.NewPCG(opts.Seed, opts.Seed)),
		journal:    &journal.Journal[entry]{},
	}
}

// pump sends every task of q that may go now, and sets a timer for the next. It
// is called under the lock after anything that may let a task go.
func (e *engine) pump(q *queue) {
	defer e.compact()
	now := e.clock.Now()
	for {
		t, at := q.next(now)
		if t == nil {
			e.wakeAt(q, at, now)
			return
		}
		q.due.remove(t)
		if t.expired(now) {
			e.end(t, now)
			continue
		}
		e.dispatch(t, now, false)
	}
}

// next returns the task of q that may go now. When none may, it returns the time
// to look again, or the zero time when something else must happen first.
func (q *queue) next(now time.Time) (*task, time.Time) {
	t := q.due.first()
	if t == nil || q.full() || q.pb.GetState() != cloudtaskspb.Queue_RUNNING {
		return nil, time.Time{}
	}
	if t.due.After(now) {
		return nil, t.due
	}
	if t.expired(now) {
		return t, now
	}
	if wait := q.bucket.take(now); wait > 0 {
		return nil, now.Add(wait)
	}
	return t, now
}

// wakeAt plans the next pump of q for the given time, in place of any planned
// before. For the zero time it plans none.
func (e *engine) wakeAt(q *queue, at, now time.Time) {
	if q.timer != nil && q.wake.Equal(at) {
		return
	}
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	if at.IsZero() || e.closed {
		return
	}
	var timer Timer
	timer = e.clock.AfterFunc(at.Sub(now), func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if q.timer == timer {
			q.timer = nil
			e.pump(q)
		}
	})
	q.timer, q.wake = timer, at
}

// insert adds a task to its queue, where it waits.
func (e *engine) insert(t *task) {
	e.seq++
	t.seq, t.index = e.seq, -1
	e.tasks[t.name()] = t
	t.queue.tasks[t.name()] = t
	t.queue.due.add(t)
}

// end removes a task for good. The task's name stays taken for a while.
func (e *engine) end(t *task, now time.Time) {
	e.remove(t, now)
	e.record(entry{Op: opEnded, At: now, Name: t.name()})
}

// remove does what end does, but does not write it to the journal.
func (e *engine) remove(t *task, now time.Time) {
	t.ended = true
	t.queue.due.remove(t)
	delete(t.queue.tasks, t.name())
	delete(e.tasks, t.name())
	e.ended.add(t.name(), now)
	e.tellRemoved()
}

// newTaskID makes up the ID of an unnamed task: 19 digits, as many as the
// service's IDs have.
func (e *engine) newTaskID(queue string, now time.Time) string {
	for {
		id := fmt.Sprint(uint64(1e18) + e.rng.Uint64N(9e18))
		name := queue + "/tasks/" + id
		if _, taken := e.tasks[name]; !taken && !e.ended.has(name, now) {
			return id
		}
	}
}

// sortedKeys returns the keys of m in order.
func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
