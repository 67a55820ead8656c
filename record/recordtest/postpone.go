package recordtest

import (
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var postponeTests = []contractTest{
	{"gives the image its next task, on the lane", postponeMoves},
	{"is no transition", postponeNoTransition},
	{"goes by the task after an exchange", postponeExchanged},
	{"numbers dispatches together with Requeue", postponeNumbers},
	{"keeps an image waiting for its time", postponeWaiting},
	{"tells what is being worked on", postponeHeld},
	{"has nothing to do for a task that is not needed", postponeNothing},
}

func postponeMoves(f *fixture) {
	tasks := f.create(2)
	next := f.postpone(tasks[0], spare)
	f.wantEqual("the task", next, job.Task{JobID: tasks[0].JobID, Dispatch: 2, Lane: spare})
	f.wantImage(f.claim(next, never), tasks[0])
	f.wantImage(f.claim(tasks[0], never), tasks[1]) // which no image holds any more
	f.noClaim(tasks[1], record.ErrNothingDue)
}

func postponeNoTransition(f *fixture) {
	tasks := f.create(1)
	want := f.get(tasks[0].JobID)
	f.postpone(tasks[0], spare)
	f.wantEqual("the job", f.get(want.ID), want)
}

// The second image holds the first one's task.
func postponeExchanged(f *fixture) {
	tasks := f.create(2)
	f.wantImage(f.claim(tasks[1], never), tasks[0])
	next := f.postpone(tasks[0], spare)
	f.wantEqual("the task", next, job.Task{JobID: tasks[1].JobID, Index: 1, Dispatch: 2, Lane: spare})
	f.wantImage(f.claim(next, never), tasks[1])
}

func postponeNumbers(f *fixture) {
	tasks := f.create(1)
	next := f.postpone(f.postpone(tasks[0], spare), lane)
	c := f.claim(next, never)
	f.wantEqual("the dispatch", c.Dispatch, 3)
	f.wantEqual("the attempts", c.Image().Attempts, 1)
	_, next = f.requeue(c, record.Requeue{Lane: lane})
	f.wantEqual("the dispatch after", next.Dispatch, 4)
	f.wantEqual("the last", f.postpone(next, spare).Dispatch, 5)
}

func postponeWaiting(f *fixture) {
	tasks := f.create(1)
	_, next := f.requeue(f.claim(tasks[0], never), record.Requeue{Lane: lane, After: never, Reason: &timedOut})
	next = f.postpone(next, spare)
	f.wantEqual("the reason it waits", f.get(next.JobID).Images[0].Error, &timedOut)
	f.noClaim(stranger(), record.ErrNothingDue)
	f.wantImage(f.claim(next, never), tasks[0])
}

func postponeHeld(f *fixture) {
	tasks := f.create(2)
	f.claim(tasks[0], never)
	f.claim(tasks[1], gone) // it must come again, to take the image over
	for _, t := range tasks {
		_, err := f.record.Postpone(f.ctx, t, model, at(spare))
		f.wantErr(err, record.ErrHeld)
	}
	f.wantImage(f.claim(tasks[1], never), tasks[1])
}

func postponeNothing(f *fixture) {
	tasks := f.create(3)
	f.succeed(f.claim(tasks[0], never))
	f.requeue(f.claim(tasks[1], never), record.Requeue{Lane: lane})
	f.postpone(tasks[2], spare)
	for _, t := range append(tasks, stranger(), job.Task{JobID: "no-such-id"}, job.Task{}) {
		_, err := f.record.Postpone(f.ctx, t, model, at(spare))
		f.wantErr(err, record.ErrNothingDue)
	}
}
