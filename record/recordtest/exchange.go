package recordtest

import (
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Two things show which task an image holds: which task brings it back before
// its time, and which task's delivery is told that it is held.
var exchangeTests = []contractTest{
	{"gives the claimed image's task to the delivered one's holder", exchangeOnce},
	{"works across jobs", exchangeJobs},
	{"follows a chain", exchangeChain},
	{"works with the task of a waiting image", exchangeWaiting},
	{"works with a held image when a task comes twice", exchangeHeld},
	{"works with a reclaimed image", exchangeReclaimed},
	{"leaves an ended image's new task useless", exchangeEnded},
}

func exchangeOnce(f *fixture) {
	tasks := f.create(2)
	first := f.claim(tasks[1], never)
	f.wantImage(first, tasks[0])
	second := f.claim(tasks[0], never)
	f.wantImage(second, tasks[1])
	f.fail(first)
	f.noClaim(tasks[1], record.ErrNothingDue)
	f.noClaim(tasks[0], record.ErrHeld)
}

func exchangeJobs(f *fixture) {
	a, b := f.create(1), f.create(1)
	first := f.claim(b[0], never)
	f.wantImage(first, a[0])
	second := f.claim(a[0], never)
	f.wantImage(second, b[0])
	f.noClaim(b[0], record.ErrHeld)
	f.succeed(first)
	f.noClaim(b[0], record.ErrNothingDue)
	f.noClaim(a[0], record.ErrHeld)
	f.succeed(second)
	f.noClaim(a[0], record.ErrNothingDue)
}

// After three deliveries in reverse order each image holds another's task.
func exchangeChain(f *fixture) {
	tasks := f.create(3)
	claims := []record.Claim{f.claim(tasks[2], never), f.claim(tasks[1], never), f.claim(tasks[0], never)}
	holds := []job.Task{tasks[2], tasks[1], tasks[0]}
	for i, c := range claims {
		f.wantImage(c, tasks[i])
		f.noClaim(holds[i], record.ErrHeld)
		f.succeed(c)
		f.noClaim(holds[i], record.ErrNothingDue)
	}
}

func exchangeWaiting(f *fixture) {
	waiting := f.submit(lowly(2))
	_, next0 := f.requeue(f.claim(waiting[0], never), record.Requeue{Lane: lane, After: never})
	_, next1 := f.requeue(f.claim(waiting[1], never), record.Requeue{Lane: lane, After: never})
	first := f.create(1)

	c := f.claim(next1, never)
	f.wantImage(c, first[0])
	f.noClaim(next1, record.ErrHeld)
	f.wantImage(f.claim(first[0], never), waiting[1])
	f.wantImage(f.claim(next0, never), waiting[0])
}

func exchangeHeld(f *fixture) {
	tasks := f.create(2)
	first := f.claim(tasks[0], never)
	second := f.claim(tasks[0], never) // the task is delivered twice
	f.wantImage(first, tasks[0])
	f.wantImage(second, tasks[1])
	f.succeed(second)
	f.noClaim(tasks[0], record.ErrNothingDue)
	f.noClaim(tasks[1], record.ErrHeld) // in case the first one's worker dies
	f.succeed(first)
	f.noClaim(tasks[1], record.ErrNothingDue)
}

// The lease of an image ran out. Its own task takes another image, whose turn
// comes first. That image's task then takes it over.
func exchangeReclaimed(f *fixture) {
	dead := f.submit(lowly(1))
	stale := f.claim(dead[0], gone)
	first := f.create(1)

	f.wantImage(f.claim(dead[0], never), first[0])
	again := f.claim(first[0], never)
	f.wantImage(again, dead[0])
	f.refused(stale)
	f.noClaim(first[0], record.ErrHeld)
}

func exchangeEnded(f *fixture) {
	tasks := f.create(2)
	f.succeed(f.claim(tasks[0], never))
	c := f.claim(tasks[0], never)
	f.wantImage(c, tasks[1])
	f.noClaim(tasks[0], record.ErrHeld)
	f.noClaim(tasks[1], record.ErrNothingDue)
	f.succeed(c)
}
