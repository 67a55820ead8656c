package recordtest

import (
	"errors"
	"sync/atomic"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var boundTests = []contractTest{
	{"lets as many of a tenant's images wait as may", boundExact},
	{"counts a tenant's images of all models and priorities", boundAcross},
	{"counts no images of others, and none that do not wait", boundOthers},
	{"gives a repeated request its job however many wait", boundAgain},
	{"holds the bound for all that is created at once", boundAtOnce},
}

// bounded returns a draft of count pictures, of whose tenant most may wait.
func bounded(count, most int) record.Draft {
	d := submission(count)
	d.MaxWaiting = most
	return d
}

// wantFull creates a job for which there must be no room.
func (f *fixture) wantFull(d record.Draft, waiting int) {
	f.Helper()
	_, byKey := f.record.Recorded(f.ctx, d)
	_, tasks, created := f.record.Create(f.ctx, d)
	for _, err := range []error{byKey, created} {
		full, _ := errors.AsType[*record.TooManyWaitingError](err)
		f.wantErr(err, record.ErrTooManyWaiting)
		f.wantEqual("why there is no room", full, &record.TooManyWaitingError{Waiting: waiting, Most: d.MaxWaiting})
	}
	f.wantEqual("how many tasks there are without room", len(tasks), 0)
	_, err := f.record.Get(f.ctx, d.ID)
	f.wantErr(err, record.ErrNotFound)
}

func boundExact(f *fixture) {
	f.wantFull(bounded(4, 3), 0)
	f.submit(bounded(2, 3))
	f.wantFull(bounded(2, 3), 2)
	f.submit(bounded(1, 3))
	f.wantFull(bounded(1, 3), 3)
	f.submit(submission(1)) // for which there is no bound
}

func boundAcross(f *fixture) {
	f.submit(bounded(1, 3))
	low, elsewhere := bounded(1, 3), bounded(1, 3)
	low.Priority, elsewhere.Input.Model = job.PriorityLow, other
	f.submit(low)
	f.submit(elsewhere)
	f.wantFull(bounded(1, 3), 3)
}

func boundOthers(f *fixture) {
	theirs := bounded(3, 3)
	theirs.Tenant = rival
	for _, t := range append(f.submit(theirs), f.submit(bounded(3, 3))...) {
		f.claim(t, never)
	}
	f.submit(bounded(3, 3))
	f.wantFull(bounded(1, 3), 3)
}

func boundAgain(f *fixture) {
	first, again := bounded(2, 2), bounded(2, 2)
	first.IdempotencyKey, again.IdempotencyKey = "key", "key"
	tasks := f.submit(first)
	j, err := f.record.Recorded(f.ctx, again)
	f.wantErr(err, nil)
	f.wantEqual("the job by its key", j.ID, first.ID)
	j, pending, err := f.record.Create(f.ctx, again)
	f.wantErr(err, nil)
	f.wantEqual("the job created again", j, f.get(first.ID))
	f.wantEqual("its tasks", pending, tasks)
	again.Fingerprint = "another"
	_, _, err = f.record.Create(f.ctx, again)
	f.wantErr(err, record.ErrIdempotencyMismatch)
}

func boundAtOnce(f *fixture) {
	const most, each = 7, 4
	var recorded atomic.Int32
	runTogether(func(n int) {
		for i := range each {
			d := bounded(1, most)
			if (n+i)%2 == 0 {
				d.Input.Model = other
			}
			switch _, _, err := f.record.Create(f.ctx, d); {
			case err == nil:
				recorded.Add(1)
			case !errors.Is(err, record.ErrTooManyWaiting):
				f.Errorf("Create: %v", err)
			}
		}
	})
	f.wantEqual("the jobs recorded", recorded.Load(), int32(most))
}
