package cloudtasks

import (
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// noPrevious is task.previous while no attempt has ended.
const noPrevious = -1

// A task is one task that has not ended. Everything in it is guarded by the
// engine's lock, except message parts, which never change.
type task struct {
	pb    *cloudtaskspb.Task // without the body; output-only fields are kept current
	body  []byte
	queue *queue

	due   time.Time // pb.schedule_time
	seq   uint64    // order of creation, between tasks due at one instant
	index int       // place in the queue's heap; -1 while not waiting there

	executed int    // what X-CloudTasks-TaskExecutionCount says
	previous int    // HTTP status of the attempt that ended last, or noPrevious
	reason   string // X-AppEngine-TaskRetryReason
	running  int    // attempts under way
	ended    bool   // succeeded, deleted, purged or given up on
}

func (t *task) name() string { return t.pb.GetName() }

// setDue plans the next attempt. The time is cut to microseconds, as
// schedule_time is (documented).
func (t *task) setDue(at time.Time) {
	t.due = at.Truncate(time.Microsecond)
	t.pb.ScheduleTime = timestamppb.New(t.due)
}

// expired reports whether the task is older than the service keeps one.
func (t *task) expired(now time.Time) bool {
	return now.Sub(t.pb.GetCreateTime().AsTime()) >= taskRetention
}

// retryConfig returns the task's own retry configuration (documented: it
// overrides the queue's), or the queue's.
func (t *task) retryConfig() *cloudtaskspb.RetryConfig {
	if c := t.pb.GetRetryConfig(); c != nil {
		return c
	}
	return t.queue.pb.GetRetryConfig()
}

// sinceFirst returns how long ago the first attempt was dispatched.
func (t *task) sinceFirst(now time.Time) time.Duration {
	first := t.pb.GetFirstAttempt().GetDispatchTime()
	if first == nil {
		return 0
	}
	return now.Sub(first.AsTime())
}

// view returns the task as an answer shows it. BASIC leaves out the body and
// nothing else (recorded: headers are in both).
func (t *task) view(v cloudtaskspb.Task_View) *cloudtaskspb.Task {
	out := proto.Clone(t.pb).(*cloudtaskspb.Task)
	out.View = cloudtaskspb.Task_BASIC
	if v == cloudtaskspb.Task_FULL {
		out.View = cloudtaskspb.Task_FULL
		setBody(out, t.body)
	}
	return out
}

// setBody puts a body into either kind of message.
func setBody(t *cloudtaskspb.Task, body []byte) {
	if r := t.GetHttpRequest(); r != nil {
		r.Body = body
	}
	if r := t.GetAppEngineHttpRequest(); r != nil {
		r.Body = body
	}
}

// takeBody removes the body from either kind of message and returns it.
func takeBody(t *cloudtaskspb.Task) []byte {
	body := t.GetHttpRequest().GetBody()
	if r := t.GetAppEngineHttpRequest(); r != nil {
		body = r.GetBody()
	}
	setBody(t, nil)
	return body
}
