package recordtest

import (
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var finishTests = []contractTest{
	{"records the stored picture", finishSucceed},
	{"records the reason", finishFail},
	{"completes the job with its last image", finishLast},
	{"counts once when repeated", finishRepeated},
	{"cannot be changed by another end", finishOtherwise},
	{"touches no other job", finishOthers},
}

func finishSucceed(f *fixture) {
	tasks := f.create(2)
	c := bill(f.claim(tasks[0], never), 33_000)
	c.Report.Bill.CostMicros = 38_700
	j := f.succeed(c)

	want := c.Job
	want.Version = 3
	want.Images = []job.Image{c.Job.Images[0], c.Job.Images[1]}
	want.Images[0].Status, want.Images[0].Object = job.StatusSucceeded, stored.Object
	want.Images[0].CostMicros, want.Images[0].BoundMicros = 38_700, 33_000
	want.Images[0].CompletedAt = j.Images[0].CompletedAt
	f.wantEqual("the job", j, want)
	if j.Images[0].CompletedAt.Before(j.Images[0].StartedAt) {
		f.Errorf("completed at %v, started at %v", j.Images[0].CompletedAt, j.Images[0].StartedAt)
	}
}

func finishFail(f *fixture) {
	tasks := f.create(2)
	c := f.claim(tasks[0], never)
	j := f.fail(c)

	want := c.Job
	want.Version = 3
	want.Images = []job.Image{c.Job.Images[0], c.Job.Images[1]}
	want.Images[0].Status, want.Images[0].Error = job.StatusFailed, &blocked
	want.Images[0].CompletedAt = j.Images[0].CompletedAt
	f.wantEqual("the job", j, want)
}

func finishLast(f *fixture) {
	tasks := f.create(2)
	first, last := f.claim(tasks[0], never), f.claim(tasks[1], never)
	f.succeed(last)
	j := f.fail(first)
	f.wantEqual("the version", j.Version, int64(5))
	f.wantEqual("the job's status", j.Status, job.StatusPartial)
	f.wantEqual("the job's end, which is its last image's", j.CompletedAt, j.Images[0].CompletedAt)
}

func finishRepeated(f *fixture) {
	tasks := f.create(4)
	c := f.claim(tasks[0], never)
	f.wantEqual("a repeated Succeed", f.succeed(c), f.succeed(c))
	c = f.claim(tasks[1], never)
	f.wantEqual("a repeated Fail", f.fail(c), f.fail(c))

	c = f.claim(tasks[2], never)
	how := record.Requeue{Lane: lane, After: never, GiveBack: true, Reason: &timedOut}
	j, next := f.requeue(c, how)
	again, nextAgain := f.requeue(c, how)
	f.wantEqual("a repeated Requeue", again, j)
	f.wantEqual("its task", nextAgain, next)

	f.wantImage(f.claim(tasks[3], never), tasks[3])
	f.claim(next, never)
	f.refused(c) // its image is another claim's by now
}

func finishOtherwise(f *fixture) {
	tasks := f.create(3)
	ends := []struct {
		name string
		end  func(c record.Claim) error
	}{
		{"Succeed", func(c record.Claim) error { _, err := f.record.Succeed(f.ctx, c, stored); return err }},
		{"Fail", func(c record.Claim) error { _, err := f.record.Fail(f.ctx, c, blocked); return err }},
		{"Requeue", func(c record.Claim) error {
			_, _, err := f.record.Requeue(f.ctx, c, record.Requeue{Lane: lane, After: never})
			return err
		}},
	}
	for i, first := range ends {
		c := f.claim(tasks[i], never)
		f.wantErr(first.end(c), nil)
		want := f.get(c.Job.ID)
		for k, second := range ends {
			if err := second.end(c); k != i {
				f.wantErr(err, record.ErrClaimLost)
			}
		}
		f.wantEqual("the job after "+first.name, f.get(c.Job.ID), want)
	}
}

func finishOthers(f *fixture) {
	mine, theirs := f.create(1), f.create(1)
	want := f.get(theirs[0].JobID)
	f.succeed(f.claim(mine[0], never))
	f.wantEqual("the other job", f.get(want.ID), want)
}
