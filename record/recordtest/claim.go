package recordtest

import (
	"errors"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var claimTests = []contractTest{
	{"begins an attempt", claimBegins},
	{"takes the first recorded first", claimOrder},
	{"takes images of its model only", claimModel},
	{"takes nothing for a task that an image of another model holds", claimForeign},
	{"passes over images that wait for a later time", claimNotReady},
	{"takes the task's own image before its time", claimEarly},
	{"takes the task's own image in its turn only", claimOwnTurn},
	{"takes an image whose lease ran out by its own task only", claimLapsed},
	{"gives what is worked on to nobody else", claimHeld},
	{"has nothing to give once all images ended", claimNothing},
	{"has no use for a superseded task", claimSuperseded},
	{"uses the slot of a task that nobody holds", claimUnknownTask},
	{"has nothing to give for a malformed task", claimMalformedTask},
}

func claimBegins(f *fixture) {
	tasks := f.create(2)
	before := f.get(tasks[0].JobID)
	c := f.claim(tasks[0], never)

	if c.Token == "" || c.Reclaimed || c.Dispatch != 1 || c.Index != 0 {
		f.Errorf("claim is %q, reclaimed %t, dispatch %d, index %d", c.Token, c.Reclaimed, c.Dispatch, c.Index)
	}
	if c.Job.StartedAt.Before(before.CreatedAt) || c.Job.StartedAt.Location() != time.UTC {
		f.Errorf("started at %v, want a time in UTC after %v", c.Job.StartedAt, before.CreatedAt)
	}
	want := before
	want.Version, want.Status, want.StartedAt = 2, job.StatusProcessing, c.Job.StartedAt
	want.Images = []job.Image{
		{Index: 0, Status: job.StatusProcessing, Attempts: 1, StartedAt: c.Job.StartedAt},
		{Index: 1, Status: job.StatusQueued},
	}
	f.wantEqual("the claimed job", c.Job, want)

	second := f.claim(tasks[1], never)
	if second.Token == c.Token {
		f.Error("two claims have one token")
	}
	f.wantEqual("the job's start after a second image's", second.Job.StartedAt, c.Job.StartedAt)
}

func claimOrder(f *fixture) {
	var tasks []job.Task
	for _, count := range []int{2, 1, 12} { // past ten, where text sorts differently from numbers
		tasks = append(tasks, f.create(count)...)
	}
	for i := range tasks {
		f.wantImage(f.claim(tasks[len(tasks)-1-i], never), tasks[i])
	}
}

func claimModel(f *fixture) {
	s := submission(1)
	s.Input.Model = other
	foreign := f.submit(s)
	tasks := f.create(1)
	f.wantImage(f.claim(tasks[0], never), tasks[0])
	f.noClaim(stranger(), record.ErrNothingDue)

	c, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: other, Task: foreign[0], Lease: never})
	f.wantErr(err, nil)
	f.wantImage(c, foreign[0])
}

// A lane may be given another model while tasks wait on its queue.
func claimForeign(f *fixture) {
	s := submission(1)
	s.Input.Model = other
	foreign, tasks := f.submit(s)[0], f.create(1)
	want := f.get(tasks[0].JobID)
	_, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: model, Task: foreign, Lease: never})
	f.wantOtherModel(err, other)
	f.wantEqual("the image whose turn it is", f.get(want.ID), want)

	for _, lease := range []time.Duration{never, gone} { // processing, and then with a lease that ran out
		c, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: other, Task: foreign, Lease: lease})
		f.wantErr(err, nil)
		f.noClaim(foreign, record.ErrHeld)
		f.wantEqual("the image whose turn it is", f.get(want.ID), want)
		if lease == never {
			_, foreign = f.requeue(c, record.Requeue{Lane: lane})
		}
	}
}

func (f *fixture) wantOtherModel(err error, want string) {
	f.Helper()
	is, ok := errors.AsType[*record.ModelError](err)
	if !ok || is.Model != want || !errors.Is(err, record.ErrOtherModel) {
		f.Fatalf("got the error %v, want that the image is of %s", err, want)
	}
}

func claimNotReady(f *fixture) {
	tasks := f.create(2)
	f.requeue(f.claim(tasks[0], never), record.Requeue{Lane: lane, After: never})
	f.wantImage(f.claim(tasks[1], never), tasks[1])
	f.noClaim(stranger(), record.ErrNothingDue)
}

func claimEarly(f *fixture) {
	tasks := f.create(2)
	_, next := f.requeue(f.claim(tasks[0], never), record.Requeue{Lane: lane, After: never})
	c := f.claim(next, never)
	f.wantImage(c, tasks[0]) // before the second image, whose turn is later
	f.wantEqual("the attempts", c.Image().Attempts, 2)
}

func claimOwnTurn(f *fixture) {
	waiting := f.submit(lowly(1))
	_, next := f.requeue(f.claim(waiting[0], never), record.Requeue{Lane: lane, After: never})
	first := f.create(1)
	f.wantImage(f.claim(next, never), first[0])
	f.wantImage(f.claim(first[0], never), waiting[0]) // early, by the exchange
}

func claimLapsed(f *fixture) {
	tasks := f.create(3)
	f.claim(tasks[0], gone)
	f.wantImage(f.claim(tasks[1], never), tasks[1])
	f.wantImage(f.claim(tasks[0], never), tasks[0]) // whose turn came before the third's
	f.wantImage(f.claim(tasks[2], never), tasks[2])

	lapsed := f.submit(lowly(1))
	f.claim(lapsed[0], gone)
	f.noClaim(stranger(), record.ErrNothingDue)
	first := f.create(1)
	f.wantImage(f.claim(lapsed[0], never), first[0])
	f.wantImage(f.claim(first[0], never), lapsed[0])
}

func claimHeld(f *fixture) {
	tasks := f.create(1)
	c := f.claim(tasks[0], never)
	f.noClaim(tasks[0], record.ErrHeld)
	f.wantEqual("the job", f.get(c.Job.ID), c.Job)
	f.noClaim(stranger(), record.ErrNothingDue)
}

func claimNothing(f *fixture) {
	tasks := f.create(2)
	f.succeed(f.claim(tasks[0], never))
	f.fail(f.claim(tasks[1], never))
	for _, t := range tasks {
		f.noClaim(t, record.ErrNothingDue)
	}
}

func claimSuperseded(f *fixture) {
	tasks := f.create(1)
	f.requeue(f.claim(tasks[0], never), record.Requeue{Lane: lane, After: never})
	f.noClaim(tasks[0], record.ErrNothingDue)
}

func claimUnknownTask(f *fixture) {
	tasks := f.create(1)
	unknown := job.Task{JobID: newID(), Index: 3, Dispatch: 9, Lane: lane}
	f.wantImage(f.claim(unknown, never), tasks[0])
	f.noClaim(unknown, record.ErrHeld)
	f.noClaim(tasks[0], record.ErrNothingDue)
}

func claimMalformedTask(f *fixture) {
	f.noClaim(job.Task{JobID: "no-such-id", Index: -1}, record.ErrNothingDue)
	f.noClaim(job.Task{}, record.ErrNothingDue)
}
