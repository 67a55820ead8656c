package recordtest

import (
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var reportTests = []contractTest{
	{"counts what waits and what is worked on", backlogCounts},
	{"counts tasks that are not known to be on a queue", backlogUnsent},
	{"says how long the oldest image has waited", backlogWaits},
	{"says for how long nothing has moved", backlogIdle},
	{"counts how images of jobs that ended did", outcomesCounts},
	{"leaves out jobs that have not ended", outcomesUnfinished},
	{"leaves out what ended earlier", outcomesSince},
	{"measures the latest pictures of each model", outcomesRuns},
}

func (f *fixture) backlog(unsent time.Duration) record.Backlog {
	f.Helper()
	b, err := f.record.Backlog(f.ctx, unsent)
	if err != nil {
		f.Fatalf("Backlog: %v", err)
	}
	return b
}

func (f *fixture) outcomes(since time.Duration) record.Outcomes {
	f.Helper()
	o, err := f.record.Outcomes(f.ctx, since)
	if err != nil {
		f.Fatalf("Outcomes: %v", err)
	}
	return o
}

// wantBacklog compares the counts.
func (f *fixture) wantBacklog(waiting, processing, unsent int) {
	f.Helper()
	b := f.backlog(gone)
	f.wantEqual("waiting, processing and unsent", []int{b.Waiting, b.Processing, b.Unsent},
		[]int{waiting, processing, unsent})
}

func backlogCounts(f *fixture) {
	f.wantEqual("of nothing", f.backlog(gone), record.Backlog{})
	tasks := f.create(5)
	f.enqueued(tasks...)
	f.wantBacklog(5, 0, 0)
	done, failed, later := f.claim(tasks[0], never), f.claim(tasks[1], never), f.claim(tasks[2], gone)
	f.wantBacklog(2, 3, 0)
	f.succeed(done)
	f.fail(failed)
	f.wantBacklog(2, 1, 0)
	_, next := f.requeue(later, record.Requeue{Lane: spare, After: never})
	f.enqueued(next)
	f.wantBacklog(3, 0, 0)
	f.cancel(tasks[0].JobID)
	f.wantEqual("of a job that ended", f.backlog(gone), record.Backlog{})
}

func backlogUnsent(f *fixture) {
	tasks := f.create(3)
	f.wantBacklog(3, 0, 3)
	f.wantEqual("for an hour", f.backlog(never).Unsent, 0)
	f.enqueued(tasks[0])
	f.wantBacklog(3, 0, 2)
	c := f.claim(tasks[0], never)
	f.wantBacklog(2, 1, 2)
	f.requeue(c, record.Requeue{Lane: lane})
	f.wantBacklog(3, 0, 3)
}

// wantSince checks a duration that began between two times of this process.
func (f *fixture) wantSince(what string, measure func() time.Duration, after, before time.Time) {
	f.Helper()
	least := time.Since(before)
	got := measure()
	if most := time.Since(after); got < least-clockStep || got > most+clockStep {
		f.Errorf("%s for %v, want %v to %v", what, got, least, most)
	}
}

// clockStep is the step to which a record rounds its times.
const clockStep = time.Microsecond

func backlogWaits(f *fixture) {
	waits := func() time.Duration { return f.backlog(gone).Waits }
	first := time.Now()
	old := f.create(2)
	second := time.Now()
	young := f.create(1)
	third := time.Now()
	f.wantSince("the older job waits", waits, first, second)
	a, b := f.claim(old[0], never), f.claim(old[1], never)
	f.wantSince("the younger job waits", waits, second, third)
	f.succeed(a)
	f.requeue(b, record.Requeue{Lane: lane, After: never})
	f.wantSince("the older job waits again", waits, first, second)
	f.cancel(old[0].JobID)
	f.claim(young[0], never)
	f.wantEqual("once nothing waits", f.backlog(gone).Waits, time.Duration(0))
}

func backlogIdle(f *fixture) {
	idle := func() time.Duration { return f.backlog(gone).Idle }
	created := time.Now()
	tasks := f.create(4)
	waiting := time.Now()
	f.wantSince("nothing has moved", idle, created, waiting)

	var c record.Claim
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"nothing has been claimed", func() { c = f.claim(tasks[0], never) }},
		{"nothing has ended well", func() { f.succeed(c) }},
		{"nothing has been claimed again", func() { c = f.claim(tasks[1], never) }},
		{"nothing has failed", func() { f.fail(c) }},
	} {
		before := time.Now()
		step.do()
		f.wantSince(step.name, idle, before, time.Now())
	}
	done := time.Now()
	f.cancel(tasks[0].JobID)
	canceled := time.Now()
	f.wantEqual("while nothing waits", idle(), time.Duration(0))
	f.create(1)
	if got, most := idle(), time.Since(done); got > most {
		f.Errorf("nothing has moved for %v, and the last job ended %v ago", got, most)
	}
	if got, most := idle(), time.Since(canceled); got > most {
		f.Errorf("nothing has moved for %v, longer than the %v that something waits", got, most)
	}
}

func outcomesCounts(f *fixture) {
	f.wantEqual("of nothing", f.outcomes(never), record.Outcomes{})
	tasks := f.create(4)
	f.succeed(f.claim(tasks[0], never))
	f.fail(f.claim(tasks[1], never))
	f.succeed(f.claim(tasks[2], never))
	c := f.claim(tasks[3], never)
	if _, err := f.record.Fail(f.ctx, c, timedOut); err != nil {
		f.Fatal(err)
	}
	blockedAgain := f.create(1)
	f.fail(f.claim(blockedAgain[0], never))
	f.cancel(f.create(2)[0].JobID)

	got := f.outcomes(never)
	f.wantEqual("how many succeeded", got.Succeeded, 2)
	f.wantEqual("how many failed", got.Failed, map[job.Code]int{blocked.Code: 2, timedOut.Code: 1})
	f.wantEqual("how many were measured", got.Runs[model].Pictures, 2)
}

func outcomesUnfinished(f *fixture) {
	tasks := f.create(3)
	f.succeed(f.claim(tasks[0], never))
	f.fail(f.claim(tasks[1], never))
	f.wantEqual("of a job that waits", f.outcomes(never), record.Outcomes{})
	f.cancel(tasks[0].JobID)
	got := f.outcomes(never)
	f.wantEqual("of the job that ended", []int{got.Succeeded, got.Failed[blocked.Code]}, []int{1, 1})
}

func outcomesSince(f *fixture) {
	tasks := f.create(2)
	f.succeed(f.claim(tasks[0], never))
	f.fail(f.claim(tasks[1], never))
	got := f.outcomes(gone)
	f.wantEqual("what ended since now", []int{got.Succeeded, len(got.Failed)}, []int{0, 0})
	f.wantEqual("which is measured all the same", got.Runs[model].Pictures, 1)
}

func outcomesRuns(f *fixture) {
	begin := time.Now()
	for range record.MaxRuns/job.MaxCount + 1 {
		for _, t := range f.create(job.MaxCount) {
			c, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: model, Task: t, Lease: never})
			f.wantErr(err, nil)
			_, err = f.record.Succeed(f.ctx, c, stored)
			f.wantErr(err, nil)
		}
	}
	s := submission(1)
	s.Input.Model = other
	c, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: other, Task: f.submit(s)[0], Lease: never})
	f.wantErr(err, nil)
	f.succeed(c)

	runs := f.outcomes(never).Runs
	f.wantEqual("pictures of one model", runs[model].Pictures, record.MaxRuns)
	f.wantEqual("pictures of the other", runs[other].Pictures, 1)
	for name, r := range runs {
		if r.Median <= 0 || r.P95 < r.Median || r.P95 > time.Since(begin) {
			f.Errorf("pictures of %s took %v, and 95 in 100 at most %v", name, r.Median, r.P95)
		}
	}
}
