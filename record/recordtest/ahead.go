package recordtest

import (
	"math/rand/v2"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var aheadTests = []contractTest{
	{"is the queue position where one tenant waits", aheadPosition},
	{"is exact for one tenant at any time", aheadExact},
	{"is about the next queued image once one started", aheadStarted},
	{"is about the first image that is ready", aheadReady},
	{"is gone once no image is queued", aheadEnded},
	{"comes with the lanes that are paused", aheadPaused},
	{"counts normal images before low ones", aheadPriority},
	{"counts other tenants' turns by their weight", aheadTenants},
	{"is never negative where an image has left", aheadLeft},
	{"is never negative nor more than what waits", aheadBounds},
}

// wantAhead checks the Ahead that Get returns for a job of which images are queued.
func (f *fixture) wantAhead(id string, want int) {
	f.Helper()
	j, err := f.record.Get(f.ctx, id)
	f.wantErr(err, nil)
	f.wantEqual("the images ahead", j.Ahead, &want)
}

func (f *fixture) wantNoAhead(id string) {
	f.Helper()
	j, err := f.record.Get(f.ctx, id)
	f.wantErr(err, nil)
	f.wantEqual("the images ahead", j.Ahead, (*int)(nil))
}

func aheadPosition(f *fixture) {
	var ids []string
	for _, count := range []int{3, 2, 1} {
		ids = append(ids, f.create(count)[0].JobID)
	}
	f.wantAhead(ids[0], 0)
	f.wantAhead(ids[1], 3)
	f.wantAhead(ids[2], 5)
	f.useSlots(2)
	f.wantAhead(ids[1], 1)
	f.wantAhead(ids[2], 3)
	f.cancel(ids[1])
	f.wantAhead(ids[2], 1)
	f.useSlots(1)
	f.wantAhead(ids[2], 0)
}

// The prediction is compared with what really happens.
func aheadExact(f *fixture) {
	random := rand.New(rand.NewPCG(7, 0))
	predicted := map[string]int{} // the number of the claim that starts the job
	var ids []string
	var claims int
	var requeued []record.Claim
	for range 20 {
		id := f.create(1 + random.IntN(3))[0].JobID
		ids = append(ids, id)
		j, err := f.record.Get(f.ctx, id)
		f.wantErr(err, nil)
		predicted[id] = claims + *j.Ahead
		for range random.IntN(4) {
			c, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: model, Task: stranger(), Lease: never})
			if err != nil {
				break
			}
			if c.Index == 0 && c.Dispatch == 1 {
				f.wantEqual("the claim that started the job", claims, predicted[c.Job.ID])
			}
			claims++
			requeued = append(requeued, c)
		}
	}
	for _, c := range requeued {
		f.requeue(c, record.Requeue{Lane: lane})
	}
	queued := 0
	for _, id := range ids { // images that were put back go before jobs that have not started
		j, err := f.record.Get(f.ctx, id)
		f.wantErr(err, nil)
		if j.Status == job.StatusQueued {
			f.wantEqual("the images ahead", *j.Ahead, queued)
		}
		queued += j.Progress().Queued
	}
}

func aheadStarted(f *fixture) {
	first, tasks := f.create(2), f.create(2)
	c := f.claim(tasks[0], never)
	f.wantImage(c, first[0])
	f.wantAhead(first[0].JobID, 0)
	f.wantAhead(tasks[0].JobID, 1)
	f.useSlots(2)
	f.wantAhead(tasks[0].JobID, 0) // its second one
	f.requeue(c, record.Requeue{Lane: lane})
	f.wantAhead(first[0].JobID, 0)
	f.wantAhead(tasks[0].JobID, 1)
}

// What waits for a time keeps its turn, and still another one may come before.
func aheadReady(f *fixture) {
	mine := f.create(3)
	c := f.claim(mine[0], never)
	s := submission(4)
	s.Tenant = rival
	f.submit(s)
	f.requeue(c, record.Requeue{Lane: lane, After: never})
	f.wantAhead(c.Job.ID, 1) // the rival's first
	f.useSlots(4)
	f.wantAhead(c.Job.ID, 0) // only the one that waits for a time is left
	f.wantEqual("the images that wait", f.get(c.Job.ID).Progress().Queued, 1)
}

func aheadEnded(f *fixture) {
	canceled := f.create(1)
	f.cancel(canceled[0].JobID)
	f.wantNoAhead(canceled[0].JobID)
	succeeded := f.create(1)
	c := f.claim(succeeded[0], never)
	f.wantNoAhead(succeeded[0].JobID)
	f.succeed(c)
	f.wantNoAhead(succeeded[0].JobID)
}

func aheadPaused(f *fixture) {
	mine := f.create(2)
	for name, p := range map[string]record.Pause{
		spare: {For: never, Broken: true, Reason: blocked}, lane: {For: 2 * never, Reason: busy}, "c": {Reason: busy},
	} {
		f.wantErr(f.record.Pause(f.ctx, []string{name}, p), nil)
	}
	states, err := f.record.LaneStates(f.ctx)
	f.wantErr(err, nil)
	want := []job.PausedLane{
		{Name: lane, Until: states[0].Until, Code: busy.Code}, {Name: spare, Until: states[1].Until, Code: blocked.Code},
	}
	j, err := f.record.Get(f.ctx, mine[0].JobID)
	f.wantErr(err, nil)
	f.wantEqual("the lanes", j.Paused, want)
	f.cancel(mine[0].JobID)
	j, err = f.record.Get(f.ctx, mine[0].JobID)
	f.wantErr(err, nil)
	f.wantEqual("of a job that ended", len(j.Paused), 0)
}

func aheadPriority(f *fixture) {
	low := f.submit(lowly(2))
	behind := f.submit(lowly(1))
	normal := f.create(3)
	foreign := submission(4)
	foreign.Input.Model = other
	f.submit(foreign)
	f.wantAhead(normal[0].JobID, 0)
	f.wantAhead(low[0].JobID, 3)
	f.wantAhead(behind[0].JobID, 5)
	f.wantAhead(foreign.ID, 0)
	f.useSlots(2)
	f.wantAhead(behind[0].JobID, 3)
}

// Three turns of weight 1 pass before the job's first. Meanwhile another tenant
// of weight 2 gets six, and one of weight ½ gets two, if they have as many
// images.
func aheadTenants(f *fixture) {
	f.lineUp(tenant, 1, 3)
	mine := f.create(1)
	f.wantAhead(mine[0].JobID, 3)
	f.lineUp("heavy", 2, 16)
	f.wantAhead(mine[0].JobID, 3+6)
	f.lineUp("light", 0.5, 16)
	f.wantAhead(mine[0].JobID, 3+6+2)
	f.lineUp("brief", 4, 1)
	f.wantAhead(mine[0].JobID, 3+6+2+1)
}

// The last image of a tenant goes to another model.
func aheadLeft(f *fixture) {
	mine := f.create(1)
	s := submission(3)
	s.Tenant = rival
	theirs := f.submit(s)
	f.relabel(theirs[2])
	f.wantAhead(mine[0].JobID, 0)
}

func aheadBounds(f *fixture) {
	random := rand.New(rand.NewPCG(8, 0))
	var ids []string
	for range 15 {
		s := submission(1 + random.IntN(4))
		s.Tenant = string(rune('p' + random.IntN(3)))
		s.Weight = []float64{0.3, 1, 5}[random.IntN(3)]
		if random.IntN(3) == 0 {
			s.Priority = job.PriorityLow
		}
		f.createUnchecked(s)
		ids = append(ids, s.ID)
		for range random.IntN(4) {
			c, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: model, Task: stranger(), Lease: never})
			if err == nil && random.IntN(2) == 0 {
				f.requeue(c, record.Requeue{Lane: lane})
			}
		}
	}
	waiting := 0
	for _, id := range ids {
		waiting += f.get(id).Progress().Queued
	}
	for _, id := range ids {
		j, err := f.record.Get(f.ctx, id)
		f.wantErr(err, nil)
		if (j.Ahead != nil) != (j.Progress().Queued > 0) {
			f.Errorf("a job with %+v has %v images ahead", j.Progress(), j.Ahead)
		}
		if j.Ahead != nil && (*j.Ahead < 0 || *j.Ahead >= waiting) {
			f.Errorf("%d images are ahead of the job, where %d wait in all", *j.Ahead, waiting)
		}
	}
}
