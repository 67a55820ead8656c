package recordtest

import (
	"sync"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var retryTests = []contractTest{
	{"gives the retry back that has not ended", retryOnce},
	{"records a new retry once the one before has ended", retryAgain},
	{"records one retry of what is retried at the same time", retryAtOnce},
	{"keeps the idempotency keys of retries", retryKeys},
	{"keeps retries of different jobs apart", retryOthers},
}

// retryOf returns a draft that draws the first picture of a job again.
func retryOf(id string) record.Draft {
	s := submission(1)
	s.Input.Retry = &job.Retry{Of: id, Images: []int{0}}
	return s
}

func retryOnce(f *fixture) {
	first := f.create(1)[0]
	f.cancel(first.JobID)
	retry, again := retryOf(first.JobID), retryOf(first.JobID)
	_, err := f.record.Recorded(f.ctx, retry)
	f.wantErr(err, record.ErrNotFound)
	tasks := f.submit(retry)

	j, err := f.record.Recorded(f.ctx, again)
	f.wantErr(err, nil)
	f.wantEqual("the retry", j, f.get(retry.ID))
	j, pending, err := f.record.Create(f.ctx, again)
	f.wantErr(err, nil)
	f.wantEqual("the retry that is under way", j, f.get(retry.ID))
	f.wantEqual("its tasks", pending, tasks)
	f.wantEqual("what it draws again", j.Input.Retry, retry.Input.Retry)
}

func retryAgain(f *fixture) {
	first := f.create(1)[0].JobID
	f.cancel(first)
	one, two := retryOf(first), retryOf(first)
	f.submit(one)
	f.cancel(one.ID)
	f.submit(two)
	f.wantEqual("the second retry", f.get(two.ID).Status, job.StatusQueued)
}

func retryAtOnce(f *fixture) {
	first := f.create(1)[0].JobID
	f.cancel(first)
	const callers = 8
	ids := make([]string, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			j, _, err := f.record.Create(f.ctx, retryOf(first))
			if err != nil {
				f.Errorf("Create: %v", err)
			}
			ids[i] = j.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		f.wantEqual("the retry of each caller", id, ids[0])
	}
}

func retryKeys(f *fixture) {
	first := f.create(1)[0].JobID
	f.cancel(first)
	keyed := retryOf(first)
	keyed.IdempotencyKey = "key"
	f.submit(keyed)
	f.cancel(keyed.ID)
	f.submit(retryOf(first)) // it is under way, but the key says which one is meant
	again := retryOf(first)
	again.IdempotencyKey = "key"
	j, _, err := f.record.Create(f.ctx, again)
	f.wantErr(err, nil)
	f.wantEqual("the retry of the key", j.ID, keyed.ID)
}

func retryOthers(f *fixture) {
	one, two := retryOf(newID()), retryOf(newID())
	f.recordAll(one, two)
	f.wantEqual("the second one", f.get(two.ID).ID, two.ID)
}
