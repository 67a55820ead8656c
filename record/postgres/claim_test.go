package postgres_test

import (
	"sync"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// Both images of each job are claimed at once, by each other's tasks or their
// own as it happens. A deadlock is an error that one of the two gets.
func TestClaimsThatExchangeTasksDoNotDeadlock(t *testing.T) {
	t.Parallel()
	store := postgres.New(newPool(t, postgrestest.NewRecord(t)))
	for range 150 {
		tasks := create(t, store, 2)
		claims := make([]record.Claim, len(tasks))
		var group sync.WaitGroup
		for i, task := range []job.Task{tasks[1], tasks[0]} {
			group.Go(func() { claims[i] = claimAndRenew(t, store, task) })
		}
		group.Go(func() {
			if err := store.Enqueued(t.Context(), tasks[1], tasks[0]); err != nil {
				t.Error(err)
			}
		})
		group.Wait()
		if claims[0].Index == claims[1].Index {
			t.Fatalf("both deliveries claimed image %d", claims[0].Index)
		}
		for _, c := range claims {
			group.Go(func() {
				if _, err := store.Succeed(t.Context(), c, record.Success{}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
}

func claimAndRenew(t *testing.T, store record.Record, task job.Task) record.Claim {
	c, err := store.Claim(t.Context(), record.ClaimRequest{Model: model, Task: task, Lease: time.Hour})
	if err != nil {
		t.Errorf("Claim: %v", err)
	}
	if err := store.Renew(t.Context(), c, time.Hour); err != nil {
		t.Errorf("Renew: %v", err)
	}
	return c
}
