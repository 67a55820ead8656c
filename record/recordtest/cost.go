package recordtest

import (
	"slices"
	"sync"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var costTests = []contractTest{
	{"keeps what attempts cost that brought no picture", costBilled},
	{"counts what a repeated call was billed once", costOnce},
	{"lets each claim of a job see those before it", costClaims},
}

// bill sets what the attempt of a claim cost, by list price.
func bill(c record.Claim, micros int64) record.Claim {
	c.Report.Bill = job.Bill{Billed: true, CostMicros: micros, BoundMicros: micros, Estimated: true}
	return c
}

func costBilled(f *fixture) {
	tasks := f.create(2)
	j, next := f.requeue(bill(f.claim(tasks[0], never), 7), record.Requeue{Lane: lane})
	f.wantEqual("what an image was billed that was put back", j.Images[0].BilledMicros, int64(7))
	j = f.fail(bill(f.claim(next, never), 5))
	f.wantEqual("what it was billed in the end", j.Images[0].BilledMicros, int64(12))
	j = f.succeed(bill(f.claim(tasks[1], never), 3))
	f.wantEqual("what the job cost", j.SpentMicros(), int64(15))
}

func costOnce(f *fixture) {
	c := bill(f.claim(f.create(1)[0], never), 7)
	f.requeue(c, record.Requeue{Lane: lane})
	j, next := f.requeue(c, record.Requeue{Lane: lane})
	f.wantEqual("what the image was billed", j.Images[0].BilledMicros, int64(7))
	c = bill(f.claim(next, never), 7)
	f.fail(c)
	f.wantEqual("what it was billed in the end", f.fail(c).Images[0].BilledMicros, int64(14))
}

// What a job may cost is decided by what its claims see. Of two at the same time,
// one must see the other.
func costClaims(f *fixture) {
	const images = 16
	tasks := f.create(images)
	var mu sync.Mutex
	var seen []int
	runTogether(func(n int) {
		for i := n; i < images; i += deliverers {
			c, err := f.record.Claim(f.ctx, record.ClaimRequest{Model: model, Task: tasks[i], Lease: never})
			if err != nil {
				f.Errorf("Claim: %v", err)
				return
			}
			mu.Lock()
			seen = append(seen, c.Job.Progress().Processing)
			mu.Unlock()
		}
	})
	slices.Sort(seen)
	var want []int
	for n := range images {
		want = append(want, n+1)
	}
	f.wantEqual("how many images each claim sees at work", seen, want)
}
