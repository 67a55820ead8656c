package recordtest

import (
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var overviewTests = []contractTest{
	{"is of nothing while there is nothing", overviewNothing},
	{"agrees with what tells of its parts", overviewParts},
	{"lists the tenants that wait, the one with the most first", overviewTenants},
	{"counts what is worked on by lane", overviewInFlight},
	{"counts the jobs that ended by status", overviewEnded},
}

func (f *fixture) overview() record.Overview {
	f.Helper()
	o, err := f.record.Overview(f.ctx)
	f.wantErr(err, nil)
	if o.At.Location() != time.UTC {
		f.Errorf("its time is %v, want UTC", o.At)
	}
	return o
}

func overviewNothing(f *fixture) {
	o := f.overview()
	f.wantEqual("lanes, models, tenants, at work and ended",
		[]int{len(o.Lanes), len(o.Models), len(o.Tenants), o.Waiting, len(o.InFlight), len(o.Ended.Jobs)}, make([]int, 6))
	f.wantEqual("the backlog", o.Backlog, record.Backlog{})
	if d := time.Since(o.At); d < -time.Minute || d > time.Minute {
		f.Errorf("its time is %v", o.At)
	}
}

func overviewParts(f *fixture) {
	tasks := f.create(3)
	f.park(tasks[2])
	f.pauseByHand(spare)
	f.claim(tasks[0], never)
	o := f.overview()
	states, err := f.record.LaneStates(f.ctx)
	f.wantErr(err, nil)
	f.wantEqual("the lanes", o.Lanes, states)
	f.wantEqual("the models", o.Models, f.models())
	b := f.backlog(record.UnsentAge)
	b.Waits, b.Idle = o.Backlog.Waits, o.Backlog.Idle
	f.wantEqual("the backlog", o.Backlog, b)
}

func overviewTenants(f *fixture) {
	oldest := time.Now()
	few := submission(2)
	few.Tenant = rival
	fewTasks := f.submit(few)
	middle := time.Now()
	tasks := f.create(3)
	latest := time.Now()
	f.create(2)

	o := f.overview()
	f.wantEqual("how many there are", o.Waiting, 2)
	f.wantEqual("the first", []any{o.Tenants[0].Tenant, o.Tenants[0].Waiting}, []any{tenant, 5})
	f.wantEqual("the second", []any{o.Tenants[1].Tenant, o.Tenants[1].Waiting}, []any{rival, 2})
	waits := func(n int) func() time.Duration {
		return func() time.Duration { return f.overview().Tenants[n].Waits }
	}
	f.wantSince("the first tenant waits", waits(0), middle, latest)
	f.wantSince("the second tenant waits", waits(1), oldest, middle)

	f.claim(fewTasks[0], never) // its job has begun, and still waits
	f.wantSince("the second tenant waits", waits(1), oldest, middle)
	for range tasks { // turns alternate, so some are of each tenant
		f.claim(tasks[0], gone)
	}
	f.cancel(few.ID)
	o = f.overview()
	f.wantEqual("how many there are", o.Waiting, len(o.Tenants))
	f.wantEqual("who is left", o.Tenants[0].Tenant, tenant)
}

func overviewInFlight(f *fixture) {
	s := submission(3)
	s.Lanes = []string{lane, spare, spare}
	tasks := f.submit(s)
	f.claim(tasks[0], never)
	f.claim(tasks[1], never)
	done := f.claim(tasks[2], never)
	f.wantEqual("at work", f.overview().InFlight, map[string]int{lane: 1, spare: 2})
	f.succeed(done)
	f.wantEqual("at work", f.overview().InFlight, map[string]int{lane: 1, spare: 1})
}

func overviewEnded(f *fixture) {
	f.create(1) // has not ended
	f.cancel(f.create(1)[0].JobID)
	for range 2 {
		s := submission(1)
		s.Input.Model = other
		t := f.submit(s)[0]
		c, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: other, Task: t, Lease: never})
		f.wantErr(err, nil)
		f.succeed(c)
	}
	f.wantEqual("ended", f.overview().Ended, record.Ended{Jobs: map[job.Status]int{job.StatusCanceled: 1, job.StatusSucceeded: 2}})
}
