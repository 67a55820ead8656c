package snapshot_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
)

// A teller hands on the jobs that it is handed, and waits until somebody takes
// them.
type teller chan []string

func (t teller) Tell(_ context.Context, jobIDs ...string) { t <- jobIDs }

// tells runs a transition, and reports whether its job is handed on.
func (t teller) tells(transition func()) bool {
	done := make(chan struct{})
	go func() {
		transition()
		close(done)
	}()
	select {
	case <-t:
		<-done
		return true
	case <-done:
		return false
	}
}

// setupTelling returns a record with a job of two pictures whose receiver is told
// of events.
func setupTelling(t *testing.T, events ...job.WebhookEvent) (record.Record, teller, []job.Task) {
	t.Helper()
	told := make(teller)
	r := publish(t, memory.New(), "redis://localhost:1")
	r.SetTeller(told)
	_, tasks, err := r.Create(t.Context(), record.Draft{
		ID: uuid.NewString(), Tenant: "web", Lanes: []string{"a", "a"}, Weight: 1, ExpiresIn: time.Hour,
		Input: job.Input{Prompt: "p", Model: "m", Count: 2, Webhook: &job.Receiver{URL: "https://example.com", Events: events}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, told, tasks
}

// claim claims the image of a task, which must succeed.
func claim(t *testing.T, r record.Record, task job.Task) record.Claim {
	t.Helper()
	c, err := r.Claim(t.Context(), record.ClaimRequest{Model: "m", Task: task, Lease: time.Hour})
	if err != nil {
		t.Error(err)
	}
	return c
}

// A job is handed on after a transition that its receiver wants to be told of, and
// after no other.
func TestTransitionsAreTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		events []job.WebhookEvent
		want   []bool // after: a requeue, a success, a failure that ends the job
	}{
		"the end":         {job.EndEvents(), []bool{false, false, true}},
		"the start":       {[]job.WebhookEvent{job.WebhookJobStarted}, []bool{false, false, false}},
		"pictures":        {[]job.WebhookEvent{job.WebhookImageSucceeded}, []bool{false, true, false}},
		"failed pictures": {[]job.WebhookEvent{job.WebhookImageFailed}, []bool{false, false, true}},
		"nothing":         {nil, make([]bool, 3)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, told, tasks := setupTelling(t, c.events...)
			first, last := claim(t, r, tasks[0]), claim(t, r, tasks[1])
			if len(c.events) == 1 && c.events[0] == job.WebhookJobStarted {
				<-told // of the first claim, and not of the second
			}
			var next job.Task
			var err error
			got := []bool{told.tells(func() { _, next, err = r.Requeue(t.Context(), first, record.Requeue{Lane: "a"}) })}
			again := claim(t, r, next)
			got = append(got,
				told.tells(func() { _, err = r.Succeed(t.Context(), again, record.Success{}) }),
				told.tells(func() { _, err = r.Fail(t.Context(), last, job.Error{Code: job.CodeBlocked}) }))
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v: told after the transitions (-want +got):\n%s", err, diff)
			}
		})
	}
	t.Run("cancel", func(t *testing.T) {
		t.Parallel()
		r, told, tasks := setupTelling(t, job.EndEvents()...)
		if !told.tells(func() { r.Cancel(t.Context(), tasks[0].JobID) }) {
			t.Error("nothing is told of a job that was canceled")
		}
	})
}

// The slot of a claim is now. It does not wait until a task is on a queue.
func TestAClaimDoesNotWaitForTheTeller(t *testing.T) {
	t.Parallel()
	r, told, tasks := setupTelling(t, job.WebhookJobStarted)
	c := claim(t, r, tasks[0])
	if jobs := <-told; len(jobs) != 1 || jobs[0] != c.Job.ID {
		t.Errorf("told %v", jobs)
	}
}

// A reader that ends a job past its deadline does not wait until that is told.
func TestAReaderHasTheEndOfAJobTold(t *testing.T) {
	b, advance := setupTimed(t, plain)
	told := make(teller)
	b.SetTeller(told)
	j, _, err := b.Create(t.Context(), record.Draft{
		ID: uuid.NewString(), Tenant: "web", Lanes: []string{"a"}, Weight: 1, ExpiresIn: time.Hour,
		Input: job.Input{Prompt: "p", Model: "m", Count: 1, Webhook: &job.Receiver{URL: "https://example.com", Events: job.EndEvents()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	advance(time.Hour)
	if _, err := b.Snapshot(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	select {
	case jobs := <-told:
		if len(jobs) != 1 || jobs[0] != j.ID {
			t.Errorf("told %v", jobs)
		}
	case <-time.After(time.Minute):
		t.Error("nothing is told of a job that a reader ended")
	}
}
