package recordtest

import (
	"cmp"
	"slices"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var enqueuedTests = []contractTest{
	{"settles the tasks it is told", enqueuedSome},
	{"is no transition", enqueuedNoTransition},
	{"ignores tasks that nobody holds", enqueuedUnknown},
	{"goes by the task after an exchange", enqueuedExchanged},
	{"keeps what it noted through an exchange", enqueuedBeforeExchange},
	{"is asked anew after a requeue", enqueuedRequeued},
	{"is asked anew after Postpone", enqueuedPostponed},
	{"is not asked for images that ended", enqueuedEnded},
}

// createKeyed records a job of count images under an idempotency key, so that Create
// can be called for it again.
func (f *fixture) createKeyed(count int) (record.Draft, []job.Task) {
	f.Helper()
	s := submission(count)
	s.IdempotencyKey = s.ID
	return s, f.submit(s)
}

// wantPending checks which tasks a repeated Create returns.
func (f *fixture) wantPending(s record.Draft, want ...job.Task) {
	f.Helper()
	_, got, err := f.record.Create(f.ctx, s)
	f.wantErr(err, nil)
	slices.SortFunc(got, func(a, b job.Task) int { return cmp.Compare(a.ID()[9:], b.ID()[9:]) })
	f.wantEqual("tasks not yet enqueued", append([]job.Task{}, got...), append([]job.Task{}, want...))
}

func enqueuedSome(f *fixture) {
	s, tasks := f.createKeyed(3)
	f.enqueued()
	f.wantPending(s, tasks...)
	f.enqueued(tasks[1])
	f.wantPending(s, tasks[0], tasks[2])
	f.enqueued(tasks...)
	f.wantPending(s)
	f.enqueued(tasks...)
	f.wantPending(s)
}

func enqueuedNoTransition(f *fixture) {
	tasks := f.create(2)
	want := f.get(tasks[0].JobID)
	f.enqueued(tasks...)
	f.wantEqual("the job", f.get(want.ID), want)
}

func enqueuedUnknown(f *fixture) {
	s, tasks := f.createKeyed(1)
	f.enqueued(
		job.Task{JobID: newID(), Index: 0, Dispatch: 1},
		job.Task{JobID: "no-such-id", Index: 0, Dispatch: 1},
		job.Task{JobID: s.ID, Index: 1, Dispatch: 1},
		job.Task{JobID: s.ID, Index: 0, Dispatch: 2})
	f.wantPending(s, tasks...)
}

// A delivery can be faster than the note that its task exists. Then image 1
// holds image 0's task, which nobody has noted yet.
func enqueuedExchanged(f *fixture) {
	s, tasks := f.createKeyed(2)
	f.wantImage(f.claim(tasks[1], never), tasks[0])
	f.wantPending(s, tasks[0])
	f.enqueued(tasks[1])
	f.wantPending(s, tasks[0])
	f.enqueued(tasks[0])
	f.wantPending(s)
}

func enqueuedBeforeExchange(f *fixture) {
	s, tasks := f.createKeyed(3)
	f.enqueued(tasks[0])
	f.wantImage(f.claim(tasks[1], never), tasks[0])
	f.wantPending(s, tasks[2])
}

func enqueuedRequeued(f *fixture) {
	s, tasks := f.createKeyed(1)
	f.enqueued(tasks...)
	_, next := f.requeue(f.claim(tasks[0], never), record.Requeue{Lane: lane})
	f.wantPending(s, next)
	f.enqueued(next)
	f.wantPending(s)
}

func enqueuedPostponed(f *fixture) {
	s, tasks := f.createKeyed(1)
	f.enqueued(tasks...)
	next := f.postpone(tasks[0], spare)
	f.wantPending(s, next)
	f.enqueued(tasks...)
	f.wantPending(s, next)
	f.enqueued(next)
	f.wantPending(s)
}

// Image 0 got image 1's task, which nobody has noted, after image 1 had ended.
func enqueuedEnded(f *fixture) {
	s, tasks := f.createKeyed(2)
	f.succeed(f.claim(tasks[0], never))
	f.wantImage(f.claim(tasks[0], never), tasks[1])
	f.wantPending(s)
}
