package snapshot_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/snapshot"
)

// subscribers returns the connections of the server that are subscriptions.
func (b *bundle) subscribers(t *testing.T) int {
	t.Helper()
	list, err := b.client.Do(t.Context(), "CLIENT", "LIST", "TYPE", "pubsub").Text()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(list, "\n")
}

// eventually waits until a condition holds. It fails after a time that only a
// defect takes.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("never came: %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// Five hundred callers wait for as many jobs, and one attempt for a
// cancellation, over one subscription. Each hears of its own job.
func TestAllThatWaitShareASubscription(t *testing.T) {
	const waits = 500
	b := setup(t)
	canceled := make(chan struct{}, 1)
	last, _ := b.create(t, 1)
	defer b.OnCancel(t.Context(), last.ID, func() { canceled <- struct{}{} })()
	var waiting sync.WaitGroup
	var tasks []job.Task
	for range waits {
		j, handed := b.create(t, 1)
		tasks = append(tasks, handed...)
		waiting.Go(func() {
			if snap, err := b.Await(t.Context(), j.ID); err != nil || snap.ID != j.ID || snap.Status != job.StatusSucceeded {
				t.Errorf("job %s is %s at the end of the wait, %v", snap.ID, snap.Status, err)
			}
		})
	}
	eventually(t, "a channel for each job and the one of cancels", func() bool {
		channels, err := b.client.PubSubChannels(t.Context(), "job*").Result()
		return err == nil && len(channels) == waits+1
	})
	if n := b.subscribers(t); n != 1 {
		t.Errorf("%d connections are subscriptions, want 1", n)
	}
	if _, err := b.Cancel(t.Context(), last.ID); err != nil {
		t.Fatal(err)
	}
	<-canceled
	for _, task := range tasks {
		c := b.claim(t, task)
		if _, err := b.Succeed(t.Context(), c, record.Success{Object: job.Object{Key: "k"}}); err != nil {
			t.Fatal(err)
		}
	}
	waiting.Wait()
	eventually(t, "the channels of jobs are left", func() bool {
		channels, err := b.client.PubSubChannels(t.Context(), "job*").Result()
		return err == nil && len(channels) == 1
	})
}

// A wait that begins while Redis is away looks at the job itself, and hears
// events again once Redis is back.
func TestSubscriptionComesBackWithRedis(t *testing.T) {
	b := setup(t)
	b.server.Stop()
	j, tasks := b.create(t, 1)
	heard := make(chan struct{}, 100)
	defer b.OnCancel(t.Context(), j.ID, func() { heard <- struct{}{} })()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan snapshot.Snapshot)
	go func() {
		snap, err := b.Await(ctx, j.ID)
		if err != nil {
			t.Error(err)
		}
		ended <- snap
	}()
	c := b.claim(t, tasks[0])
	if _, err := b.Succeed(t.Context(), c, record.Success{}); err != nil {
		t.Fatal(err)
	}
	if snap := <-ended; snap.Status != job.StatusSucceeded {
		t.Errorf("without Redis the job is %s at the end of the wait", snap.Status)
	}
	cancel()
	b.server.Restart()
	eventually(t, "cancels are heard of again", func() bool {
		if _, err := b.Cancel(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
		select {
		case <-heard:
			return true
		default:
			return false
		}
	})
}
