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

// Both images of each job are claimed at once, by their own tasks or by each
// other's. A deadlock would be an error of one of the claims.
func TestClaimsThatExchangeTasksDoNotDeadlock(t *testing.T) {
	t.Parallel()
	rec := postgres.New(newPool(t, postgrestest.NewRecord(t)))
	for range 150 {
		tasks := create(t, rec, 2)
		claims := make([]record.Claim, len(tasks))
		var group sync.WaitGroup
		for i, task := range []job.Task{tasks[1], tasks[0]} {
			group.Go(func() { claims[i] = claimAndRenew(t, rec, task) })
		}
		group.Go(func() {
			if err := rec.Enqueued(t.Context(), tasks[1], tasks[0]); err != nil {
				t.Error(err)
			}
		})
		group.Wait()
		if claims[0].Index == claims[1].Index {
			t.Fatalf("both deliveries claimed image %d", claims[0].Index)
		}
		for _, c := range claims {
			group.Go(func() {
				if _, err := rec.Succeed(t.Context(), c, record.Success{}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
}

func claimAndRenew(t *testing.T, rec record.Record, task job.Task) record.Claim {
	c, err := rec.Claim(t.Context(), record.ClaimRequest{Model: model, Task: task, Lease: time.Hour})
	if err != nil {
		t.Errorf("Claim: %v", err)
	}
	if err := rec.Renew(t.Context(), c, time.Hour); err != nil {
		t.Errorf("Renew: %v", err)
	}
	return c
}
