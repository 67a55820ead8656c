package cloudtasks

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ai-worker/ai-worker/local/transcode"
)

// Reset makes the emulator as new: it drops every task, name in use and policy, and
// every queue but those of EnsureQueue, which have the configuration again that they
// had there. The answers to deliveries that are under way change nothing.
func (e *Emulator) Reset() error {
	g := e.engine
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return status.Error(codes.Unavailable, errShutdown.Error())
	}
	now := g.clock.Now()
	for _, q := range g.queues {
		g.dropTasks(q, now)
		g.wakeAt(q, time.Time{}, now)
	}
	g.queues = make(map[string]*queue)
	g.ended, g.deleted = newTombstones(g.opts.TaskTombstone), newTombstones(g.opts.QueueTombstone)
	clear(g.operations)
	clear(g.cmek)
	for _, in := range g.ensured {
		pb, err := newQueueConfig(in)
		if err != nil {
			return err
		}
		if in.GetState() == cloudtaskspb.Queue_PAUSED {
			pb.State = cloudtaskspb.Queue_PAUSED
		}
		g.queues[pb.GetName()] = newQueue(pb, now)
	}
	if !g.journal.Keeps() {
		return nil
	}
	return g.journal.Compact(g.entries(now))
}

// WaitEmpty waits until a queue has no task left, or until ctx is done. For an empty
// name it waits for all queues.
func (e *Emulator) WaitEmpty(ctx context.Context, queue string) error {
	for {
		left, removed, err := e.engine.left(queue)
		if err != nil || left == 0 {
			return err
		}
		select {
		case <-removed:
		case <-ctx.Done():
			return status.Error(codes.DeadlineExceeded, fmt.Sprintf("%d tasks are left.", left))
		}
	}
}

// left returns how many tasks a queue has, or all queues have, and a channel that is
// closed when there are fewer.
func (e *engine) left(name string) (int, <-chan struct{}, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return 0, nil, status.Error(codes.Unavailable, errShutdown.Error())
	}
	if name == "" {
		return len(e.tasks), e.removed, nil
	}
	q, err := e.find(name)
	if err != nil {
		return 0, nil, err
	}
	return len(q.tasks), e.removed, nil
}

// tellRemoved wakes those who wait for tasks to go.
func (e *engine) tellRemoved() {
	close(e.removed)
	e.removed = make(chan struct{})
}

// serveReset calls Reset.
func (e *Emulator) serveReset(w http.ResponseWriter, _ *http.Request) {
	if err := e.Reset(); err != nil {
		transcode.WriteError(w, err)
		return
	}
	writeJSON(w, struct{}{})
}

// serveWait calls WaitEmpty for as long as the client waits.
func (e *Emulator) serveWait(w http.ResponseWriter, r *http.Request) {
	if err := e.WaitEmpty(r.Context(), r.URL.Query().Get("queue")); err != nil {
		transcode.WriteError(w, err)
		return
	}
	writeJSON(w, struct{}{})
}

// remember keeps a queue for Reset.
func (e *engine) remember(in *cloudtaskspb.Queue) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deleted.remove(in.GetName())
	e.ensured[in.GetName()] = proto.CloneOf(in)
}
