package snapshot_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/snapshot"
)

// position returns the queue position that a snapshot shows.
func position(t *testing.T, snap snapshot.Snapshot, err error) *int {
	t.Helper()
	var shown snapshot.JobResource
	if err == nil {
		err = json.Unmarshal(snap.JSON, &shown)
	}
	if err != nil {
		t.Fatal(err)
	}
	return shown.QueuePosition
}

// A transition does not tell what is ahead of the images that are left. The next
// reader asks the record, and those after it do not.
func TestAReaderCompletesWhatATransitionLeft(t *testing.T) {
	b := setup(t)
	j, tasks := b.create(t, 2)
	c := b.claim(t, tasks[0])
	for range 2 {
		snap, err := b.Snapshot(t.Context(), j.ID)
		if got := position(t, snap, err); got == nil || *got != 0 || snap.Version != 2 {
			t.Errorf("version %d at position %v, want 2 at 0", snap.Version, got)
		}
		if _, err := b.inner.Fail(t.Context(), c, job.Error{Code: job.CodeBlocked}); err != nil { // which Redis misses
			t.Fatal(err)
		}
	}
	_, next, err := b.Requeue(t.Context(), b.claim(t, tasks[1]), record.Requeue{Lane: "a", After: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	snap, err := b.Snapshot(t.Context(), j.ID)
	if got := position(t, snap, err); got == nil || *got != 0 {
		t.Errorf("after a first attempt, the position is %v, want 0", got)
	}
	b.claim(t, next) // nothing waits, so that the snapshot says everything
	stale := publish(t, &fixed{}, b.server.URL())
	if snap, err = stale.Snapshot(t.Context(), j.ID); err != nil || position(t, snap, err) != nil {
		t.Errorf("%v at position %v, want none", err, position(t, snap, err))
	}
}

// Whoever waits and hears of a change is answered with all that a reader is.
func TestAWaitThatEndsTellsThePosition(t *testing.T) {
	b := setup(t)
	j, tasks := b.create(t, 2)
	for _, task := range tasks { // the wait begins before the claim, or after it
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		answered := make(chan snapshot.Snapshot, 1)
		go func() {
			snap, err := b.Await(ctx, j.ID)
			if err != nil {
				t.Error(err)
			}
			answered <- snap
		}()
		_, _, err := b.Requeue(t.Context(), b.claim(t, task), record.Requeue{Lane: "a", After: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		snap := <-answered
		if got := position(t, snap, nil); got == nil || *got != 0 {
			t.Errorf("version %d at position %v, want 0", snap.Version, got)
		}
		cancel()
	}
}
