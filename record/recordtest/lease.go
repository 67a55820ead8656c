package recordtest

import (
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var leaseTests = []contractTest{
	{"may be taken over once it ran out", leaseTaken},
	{"that ran out keeps its place in the order", leaseOrder},
	{"guards nothing once taken over", leaseLost},
	{"that ran out guards until taken over", leaseLapsed},
	{"is extended by Renew", leaseRenewed},
	{"is cut by Renew", leaseCut},
	{"cannot be renewed once the image ended", leaseEnded},
	{"is nobody's without its token", leaseForged},
}

func leaseTaken(f *fixture) {
	tasks := f.create(1)
	first := f.claim(tasks[0], gone)
	again := f.claim(tasks[0], never)

	f.wantImage(again, tasks[0])
	if !again.Reclaimed || again.Token == first.Token || again.Dispatch != 1 {
		f.Errorf("the claim is reclaimed %t, of dispatch %d, with the old token %t",
			again.Reclaimed, again.Dispatch, again.Token == first.Token)
	}
	want := first.Job
	want.Version++
	want.Images = []job.Image{{Status: job.StatusProcessing, Attempts: 2, StartedAt: again.Image().StartedAt}}
	f.wantEqual("the job", again.Job, want)
	f.noClaim(tasks[0], record.ErrHeld)
}

func leaseOrder(f *fixture) {
	tasks := f.create(3)
	f.claim(tasks[0], gone)
	f.claim(tasks[1], gone)
	f.wantImage(f.claim(tasks[1], never), tasks[1])
	f.wantImage(f.claim(tasks[0], never), tasks[0])
	f.wantImage(f.claim(tasks[0], never), tasks[2]) // its task is delivered once more
}

func leaseLost(f *fixture) {
	tasks := f.create(1)
	stale := f.claim(tasks[0], gone)
	c := f.claim(tasks[0], never)
	f.refused(stale)
	f.wantEqual("the job", f.get(c.Job.ID), c.Job)
	f.succeed(c)
	f.refused(stale)
}

func leaseLapsed(f *fixture) {
	tasks := f.create(4)
	f.succeed(f.claim(tasks[0], gone))
	f.fail(f.claim(tasks[1], gone))
	f.requeue(f.claim(tasks[2], gone), record.Requeue{Lane: lane, After: never})
	f.wantErr(f.record.Renew(f.ctx, f.claim(tasks[3], gone), never), nil)
	f.noClaim(tasks[3], record.ErrHeld)
}

func leaseRenewed(f *fixture) {
	tasks := f.create(1)
	c := f.claim(tasks[0], gone)
	f.wantErr(f.record.Renew(f.ctx, c, never), nil)
	f.noClaim(tasks[0], record.ErrHeld)
	f.wantEqual("the job, of which a renewal is no transition", f.get(c.Job.ID), c.Job)
	f.succeed(c)
}

func leaseCut(f *fixture) {
	tasks := f.create(1)
	c := f.claim(tasks[0], never)
	f.wantErr(f.record.Renew(f.ctx, c, gone), nil)
	if again := f.claim(tasks[0], never); !again.Reclaimed {
		f.Error("the image taken over is not reclaimed")
	}
	f.wantErr(f.record.Renew(f.ctx, c, never), record.ErrClaimLost)
}

func leaseEnded(f *fixture) {
	tasks := f.create(3)
	succeeded, failed, requeued := f.claim(tasks[0], never), f.claim(tasks[1], never), f.claim(tasks[2], never)
	f.succeed(succeeded)
	f.fail(failed)
	f.requeue(requeued, record.Requeue{Lane: lane, After: never})
	for _, c := range []record.Claim{succeeded, failed, requeued} {
		f.wantErr(f.record.Renew(f.ctx, c, never), record.ErrClaimLost)
	}
	f.noClaim(tasks[2], record.ErrNothingDue)
}

func leaseForged(f *fixture) {
	tasks := f.create(2)
	mine, neighbour := f.claim(tasks[0], never), f.claim(tasks[1], never)
	forge := func(change func(c *record.Claim)) record.Claim {
		c := mine
		change(&c)
		return c
	}
	for _, c := range []record.Claim{
		{},
		forge(func(c *record.Claim) { c.Token = "" }),
		forge(func(c *record.Claim) { c.Token = "no-such-token" }),
		forge(func(c *record.Claim) { c.Token = newID() }),
		forge(func(c *record.Claim) { c.Token = neighbour.Token }),
		forge(func(c *record.Claim) { c.Index = 1 }),
		forge(func(c *record.Claim) { c.Index = 2 }),
		forge(func(c *record.Claim) { c.Job.ID = newID() }),
		forge(func(c *record.Claim) { c.Job.ID = "no-such-id" }),
	} {
		f.refused(c)
	}
	f.wantEqual("the job", f.get(neighbour.Job.ID), neighbour.Job)
}

// refused checks that a claim moves nothing.
func (f *fixture) refused(c record.Claim) {
	f.Helper()
	_, err := f.record.Succeed(f.ctx, c, stored)
	f.wantErr(err, record.ErrClaimLost)
	_, err = f.record.Fail(f.ctx, c, blocked)
	f.wantErr(err, record.ErrClaimLost)
	_, _, err = f.record.Requeue(f.ctx, c, record.Requeue{Lane: lane})
	f.wantErr(err, record.ErrClaimLost)
	f.wantErr(f.record.Renew(f.ctx, c, never), record.ErrClaimLost)
}
