package worker_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/worker"
)

// R2 is away for as long as a delivery lasts, and ends with it or with the
// process. Either way there is time left to record that the attempt failed.
func TestDeliverRecordsThatR2WasAwayAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		b.config.Limits = worker.DefaultLimits()
		b.start(b.config)
		b.images.failPut = func(int) error { return errors.New("R2 is away") }
		j, tasks := b.create(t, 1)
		began := time.Now()
		verdict, err := b.deliver(t, tasks[0])
		if verdict != worker.VerdictDone || err != nil {
			t.Errorf("got %v, %v; want that it is done: the image waits for another attempt", verdict, err)
		}
		if took := time.Since(began); took > b.config.Limits.DeliveryTimeout {
			t.Errorf("it took %v, and has %v", took, b.config.Limits.DeliveryTimeout)
		}
		b.want(t, j.ID, job.Image{Status: job.StatusQueued, Attempts: 1, BilledMicros: 34_000, Error: &job.Error{
			Code: job.CodeStorageError, Message: "The picture could not be stored.",
		}})
	})
}
