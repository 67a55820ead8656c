package recordtest

import (
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var requeueTests = []contractTest{
	{"puts the image back with its next task", requeueBack},
	{"shows its reason until the next claim", requeueReason},
	{"tells until when the image waits", requeueNotBefore},
	{"gives the attempt back", requeueGiveBack},
	{"numbers dispatches by the image and not by the task", requeueNumbers},
	{"keeps the image's place in the order", requeueOrder},
}

func requeueBack(f *fixture) {
	tasks := f.create(1)
	c := f.claim(tasks[0], never)
	j, next := f.requeue(c, record.Requeue{Lane: lane})

	f.wantEqual("the task", next, job.Task{JobID: c.Job.ID, Index: 0, Dispatch: 2, Lane: lane})
	want := c.Job
	want.Version = 3
	want.Images = []job.Image{c.Job.Images[0]}
	want.Images[0].Status = job.StatusQueued
	f.wantEqual("the job, which does not return to queued", j, want)

	again := f.claim(next, never)
	if !again.Reclaimed || again.Dispatch != 2 || again.Image().Attempts != 2 {
		f.Errorf("the next claim is reclaimed %t, of dispatch %d, attempt %d",
			again.Reclaimed, again.Dispatch, again.Image().Attempts)
	}
	f.wantEqual("the job's start", again.Job.StartedAt, c.Job.StartedAt)
}

func requeueReason(f *fixture) {
	tasks := f.create(1)
	j, next := f.requeue(f.claim(tasks[0], never), record.Requeue{Lane: lane, Reason: &timedOut})
	f.wantEqual("the reason", j.Images[0].Error, &timedOut)
	c := f.claim(next, never)
	f.wantEqual("the reason under the next claim", c.Image().Error, (*job.Error)(nil))
	j, _ = f.requeue(c, record.Requeue{Lane: lane})
	f.wantEqual("the reason after a requeue without", j.Images[0].Error, (*job.Error)(nil))
}

// An image that waits for a time says so until a slot may take it.
func requeueNotBefore(f *fixture) {
	tasks := f.create(2)
	c := f.claim(tasks[0], never)
	j, next := f.requeue(c, record.Requeue{Lane: lane, After: never})
	wait := j.Images[0].NotBefore.Sub(c.Image().StartedAt)
	if wait < never || wait > never+time.Minute {
		f.Errorf("the image waits for %s from its claim on, want %s", wait, never)
	}
	f.wantEqual("that of another image", j.Images[1].NotBefore, time.Time{})
	next = f.postpone(next, spare)
	f.wantEqual("with another task", f.get(next.JobID).Images[0].NotBefore, j.Images[0].NotBefore)
	c = f.claim(next, never)
	f.wantEqual("under a claim", c.Image().NotBefore, time.Time{})
	j, _ = f.requeue(c, record.Requeue{Lane: lane})
	f.wantEqual("without a time", j.Images[0].NotBefore, time.Time{})
	f.requeue(f.claim(tasks[1], never), record.Requeue{Lane: lane, After: never})
	f.wantEqual("of a job that ended", f.cancel(c.Job.ID).Images[0].NotBefore, time.Time{})
}

func requeueGiveBack(f *fixture) {
	tasks := f.create(1)
	next := tasks[0]
	for range 3 {
		c := f.claim(next, never)
		f.wantEqual("attempts while held", c.Image().Attempts, 1)
		var j job.Job
		j, next = f.requeue(c, record.Requeue{Lane: lane, GiveBack: true})
		f.wantEqual("attempts given back", j.Images[0].Attempts, 0)
	}
	f.wantEqual("the task of the third requeue", next.Dispatch, 4)
	j := f.succeed(f.claim(next, never))
	f.wantEqual("attempts of the picture", j.Images[0].Attempts, 1)
}

func requeueNumbers(f *fixture) {
	tasks := f.create(2)
	first := f.claim(tasks[1], never)
	f.wantImage(first, tasks[0])
	f.wantEqual("the task that the claim foretells", first.NextTask(spare),
		job.Task{JobID: tasks[0].JobID, Dispatch: 2, Lane: spare})
	_, next := f.requeue(first, record.Requeue{Lane: spare, After: never})
	f.wantEqual("the next task", next, first.NextTask(spare))

	again := f.claim(tasks[0], never)
	f.wantImage(again, tasks[1])
	_, next = f.requeue(again, record.Requeue{Lane: lane, After: never})
	f.wantEqual("the other image's next task", next,
		job.Task{JobID: tasks[1].JobID, Index: 1, Dispatch: 2, Lane: lane})
}

func requeueOrder(f *fixture) {
	tasks := f.create(3)
	_, next := f.requeue(f.claim(tasks[0], never), record.Requeue{Lane: lane})
	f.wantImage(f.claim(tasks[1], never), tasks[0])
	f.wantImage(f.claim(tasks[2], never), tasks[1])
	f.wantImage(f.claim(next, never), tasks[2])
}
