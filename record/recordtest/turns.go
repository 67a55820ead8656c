package recordtest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var turnTests = []contractTest{
	{"go to normal images before low ones", turnsPriority},
	{"alternate between tenants of one weight", turnsEqual},
	{"go by weight", turnsWeight},
	{"go by the weight that a job was recorded with", turnsWeightOfJob},
	{"neither punish nor reward who comes late", turnsLate},
	{"are saved up by nobody", turnsIdle},
	{"do not let a crowd delay a few", turnsCrowd},
	{"are each model's own", turnsModels},
	{"are kept by an image that is put back", turnsRequeued},
	{"are kept by an image that is postponed", turnsPostponed},
	{"are given up with a canceled image", turnsCanceled},
	{"are not owed for canceled images", turnsAfterCancel},
	{"are taken by turns with who asks for one at a time", turnsOneAtATime},
	{"follow the reference (1)", func(f *fixture) { turnsReference(f, 1) }},
	{"follow the reference (2)", func(f *fixture) { turnsReference(f, 2) }},
}

// lineUp records count images of a tenant.
func (f *fixture) lineUp(tenant string, weight float64, count int) {
	f.Helper()
	for ; count > 0; count -= job.MaxCount {
		s := submission(min(count, job.MaxCount))
		s.Tenant, s.Weight = tenant, weight
		f.createUnchecked(s)
	}
}

// createUnchecked creates a job without checking the result.
func (f *fixture) createUnchecked(s record.Draft) {
	f.Helper()
	if _, _, err := f.record.Create(f.ctx, s); err != nil {
		f.Fatalf("Create: %v", err)
	}
}

// useSlot uses a slot whose task no image holds.
func (f *fixture) useSlot() record.Claim {
	f.Helper()
	c, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: model, Task: stranger(), Lease: never})
	if err != nil {
		f.Fatalf("Claim: %v", err)
	}
	return c
}

// useSlots uses n slots, and returns the tenants that they go to.
func (f *fixture) useSlots(n int) []string {
	f.Helper()
	tenants := make([]string, n)
	for i := range tenants {
		tenants[i] = f.useSlot().Job.Tenant
	}
	return tenants
}

func turnsPriority(f *fixture) {
	low := f.submit(lowly(2))
	normal := f.create(2)
	f.wantImage(f.claim(low[0], never), normal[0])
	f.wantImage(f.claim(low[1], never), normal[1])
	f.wantImage(f.useSlot(), low[0])
	later := f.submit(func() record.Draft { s := submission(1); s.Tenant = rival; return s }())
	f.wantImage(f.useSlot(), later[0])
	f.wantImage(f.useSlot(), low[1])
	f.noClaim(stranger(), record.ErrNothingDue)
}

func turnsEqual(f *fixture) {
	f.lineUp(tenant, 1, 4)
	f.lineUp(rival, 1, 4)
	f.wantEqual("the slots", f.useSlots(8), slices.Repeat([]string{tenant, rival}, 4))
}

func turnsWeight(f *fixture) {
	const slots = 30
	f.lineUp(tenant, 1, slots)
	f.lineUp(rival, 2, slots)
	var rivals int
	for i, tenant := range f.useSlots(slots) {
		if tenant == rival {
			rivals++
		}
		if off := 3*rivals - 2*(i+1); off < -3 || off > 3 {
			f.Errorf("of %d slots %d went to the tenant of weight 2 against 1", i+1, rivals)
		}
	}
}

func turnsWeightOfJob(f *fixture) {
	f.lineUp(tenant, 1, 6)
	f.lineUp(rival, 1, 2) // turns 0 and 1
	f.lineUp(rival, 2, 4) // 2, 2½, 3 and 3½
	f.wantEqual("the slots", f.useSlots(12), []string{
		tenant, rival, tenant, rival, tenant, rival, rival, tenant, rival, rival, tenant, tenant,
	})
}

func turnsLate(f *fixture) {
	f.lineUp(tenant, 1, 16)
	f.useSlots(10)
	f.lineUp(rival, 1, 4)
	f.wantEqual("the slots", f.useSlots(10), []string{
		rival, tenant, rival, tenant, rival, tenant, rival, tenant, tenant, tenant,
	})
}

// A tenant that asked for nothing for long has saved no turns: it gets as many
// as one that asks for the first time.
func turnsIdle(f *fixture) {
	f.lineUp(rival, 1, 1)
	f.useSlots(1)
	f.lineUp(tenant, 1, 16)
	f.useSlots(8)
	f.lineUp(rival, 1, 3)
	f.lineUp("novice", 1, 3)
	f.wantEqual("the slots", f.useSlots(8), []string{rival, "novice", tenant, rival, "novice", tenant, rival, "novice"})
}

func turnsCrowd(f *fixture) {
	f.lineUp(tenant, 1, 500)
	f.useSlots(5)
	f.lineUp(rival, 1, 2)
	got := f.useSlots(4)
	first := slices.Index(got, rival)
	if first < 0 || first > 1 || !slices.Contains(got[first+1:], rival) {
		f.Errorf("two images behind 495 of another tenant had to wait: %v", got)
	}
}

func turnsModels(f *fixture) {
	f.lineUp(tenant, 1, 5)
	f.useSlots(5)
	foreign := submission(1)
	foreign.Input.Model = other
	f.submit(foreign)
	f.lineUp(tenant, 1, 1)
	f.lineUp(rival, 1, 1)
	c, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: other, Task: stranger(), Lease: never})
	f.wantErr(err, nil)
	f.wantEqual("the job claimed for the other model", c.Job.ID, foreign.ID)
	f.wantEqual("the slots", f.useSlots(2), []string{rival, tenant})
}

func turnsRequeued(f *fixture) {
	f.lineUp(tenant, 1, 4)
	f.lineUp(rival, 1, 4)
	c := f.useSlot()
	f.useSlots(3)
	f.requeue(c, record.Requeue{Lane: lane})
	again := f.useSlot()
	f.wantEqual("the job that has its turn again", again.Job.ID, c.Job.ID)
	f.wantEqual("the image", again.Index, c.Index)
	f.wantEqual("the slots after", f.useSlots(4), []string{tenant, rival, tenant, rival})
}

func turnsPostponed(f *fixture) {
	tasks := f.create(3)
	f.postpone(tasks[0], spare)
	for _, t := range tasks {
		f.wantImage(f.useSlot(), t)
	}
}

func turnsCanceled(f *fixture) {
	canceled := f.create(3)
	next := f.create(1)
	f.cancel(canceled[0].JobID)
	f.wantImage(f.useSlot(), next[0])
	f.noClaim(stranger(), record.ErrNothingDue)
}

// turnsAfterCancel checks that a tenant that canceled many images does not wait as
// if it had had them.
func turnsAfterCancel(f *fixture) {
	for range 10 {
		f.cancel(f.create(job.MaxCount)[0].JobID)
	}
	f.lineUp(rival, 1, 30)
	next := f.create(1)
	for slot := range 3 {
		if c := f.useSlot(); c.Job.ID == next[0].JobID {
			return
		} else if slot == 2 {
			f.Errorf("after canceling, a tenant's image still waits after %d of another's", slot+1)
		}
	}
}

// turnsOneAtATime checks that a tenant whose next image comes when the one before
// has its slot gets every second slot and no more.
func turnsOneAtATime(f *fixture) {
	f.lineUp(rival, 1, 20)
	f.lineUp(tenant, 1, 1)
	got := map[string]int{}
	for range 20 {
		c := f.useSlot()
		if got[c.Job.Tenant]++; c.Job.Tenant == tenant {
			f.lineUp(tenant, 1, 1)
		}
	}
	if got[tenant] < 9 || got[tenant] > 11 {
		f.Errorf("of 20 slots it got %d", got[tenant])
	}
}

// turnsReference compares every claim with the reference, while jobs of random
// tenants, weights and priorities come and go.
func turnsReference(f *fixture, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	reference := newOrder()
	waiting := map[string]place{}
	image := func(id string, index int) string { return fmt.Sprintf("%s/%d", id, index) }
	for step := range 150 {
		if len(waiting) == 0 || random.IntN(7) == 0 {
			s := submission(1 + random.IntN(6))
			s.Tenant = string(rune('p' + random.IntN(4)))
			s.Weight = []float64{0.25, 1, 1, 2, 8}[random.IntN(5)]
			if random.IntN(3) == 0 {
				s.Priority = job.PriorityLow
			}
			f.createUnchecked(s)
			behind := 0
			for _, p := range waiting {
				if p.line == lineOf(s) {
					behind++
				}
			}
			for i, p := range reference.create(s, behind) {
				waiting[image(s.ID, i)] = p
			}
			continue
		}
		if random.IntN(12) == 0 {
			id, _, _ := strings.Cut(first(waiting), "/")
			f.cancel(id)
			maps.DeleteFunc(waiting, func(i string, _ place) bool { return strings.HasPrefix(i, id+"/") })
			continue
		}
		want := first(waiting)
		c := f.useSlot()
		if got := image(c.Job.ID, c.Index); got != want {
			f.Fatalf("step %d: the slot went to %s at %+v, want %s at %+v", step, got, waiting[got], want, waiting[want])
		}
		reference.claim(waiting[want])
		if random.IntN(5) == 0 {
			_, _, err := f.record.Requeue(f.ctx, c, record.Requeue{Lane: lane})
			f.wantErr(err, nil)
			continue
		}
		delete(waiting, want)
	}
}

// first returns the image whose turn it is.
func first(waiting map[string]place) (image string) {
	for i, p := range waiting {
		if image == "" || p.compare(waiting[image]) < 0 {
			image = i
		}
	}
	return image
}
