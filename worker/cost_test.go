package worker_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/worker"
)

// price is that of one picture, in millionths of a US dollar; see setup.
const price = 34_000

// createBound records a job of n pictures that may cost most.
func (b *bundle) createBound(t *testing.T, n int, most int64) (job.Job, []job.Task) {
	t.Helper()
	j, tasks, err := b.record.Create(t.Context(), record.Draft{
		ID: uuid.Must(uuid.NewV7()).String(), Tenant: "web", Weight: 1, ExpiresIn: time.Hour,
		Input: job.Input{Prompt: "a fox", Model: "m", Count: n, MaxCostMicros: most}, Lanes: slices.Repeat([]string{"a"}, n),
	})
	if err != nil {
		t.Fatal(err)
	}
	return j, tasks
}

// claimAndFail claims the image of a task, for a worker whose attempt is billed and
// brings no picture.
func (b *bundle) claimAndFail(t *testing.T, task job.Task, billed int64) (job.Job, job.Task) {
	t.Helper()
	c, err := b.record.Claim(t.Context(), record.ClaimRequest{Model: "m", Task: task, Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	c.Report.Bill = job.Bill{Billed: true, CostMicros: billed, BoundMicros: billed}
	j, next, err := b.record.Requeue(t.Context(), c, record.Requeue{Lane: "a"})
	if err != nil {
		t.Fatal(err)
	}
	return j, next
}

// next returns the newest task that was put, which must not be done.
func (b *bundle) next(t *testing.T, done job.Task) job.Task {
	t.Helper()
	for task := range b.router.tasks {
		if task.Dispatch == done.Dispatch+1 {
			return task
		}
	}
	t.Fatalf("no task follows %v", done)
	return job.Task{}
}

// Each row is how attempts end, and after how many the job may pay for no more. It
// may pay for two.
func TestDeliverCountsWhatAttemptsCost(t *testing.T) {
	public := job.Error{Code: job.CodeProviderTimeout, Message: "Too late."}
	for name, tt := range map[string]struct {
		failure error
		put     error // why no picture can be stored
		want    job.Code
		asked   int
	}{
		"billed":          {failure: &job.Failure{Public: public, Remedy: job.RemedyRetry, Billable: true}, want: job.CodeMaxCostExceeded, asked: 2},
		"not billed":      {failure: &job.Failure{Public: public, Remedy: job.RemedyRetry}, want: public.Code, asked: 4},
		"cut by shutdown": {failure: worker.ErrShutdown, want: job.CodeMaxCostExceeded, asked: 2},
		"not stored":      {put: context.DeadlineExceeded, want: job.CodeMaxCostExceeded, asked: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t)
				b.generator.answer = func(context.Context) (job.Picture, error) { return b.picture, tt.failure }
				if tt.put != nil {
					b.images.failPut = func(int) error { return tt.put }
				}
				j, tasks := b.createBound(t, 1, 2*price)
				task := tasks[0]
				for range tt.asked + 1 {
					if _, err := b.deliver(t, task); err != nil {
						t.Fatal(err)
					}
					if got := b.get(t, j.ID); got.Status.Terminal() {
						break
					}
					task = b.next(t, task)
					time.Sleep(time.Minute)
				}
				b.wantFailed(t, j.ID, 0, tt.want)
				if got := len(b.generator.requests); got != tt.asked {
					t.Errorf("%d requests, want %d", got, tt.asked)
				}
			})
		})
	}
}

func (b *bundle) get(t *testing.T, id string) job.Job {
	t.Helper()
	j, err := b.record.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func (b *bundle) wantFailed(t *testing.T, id string, index int, code job.Code) {
	t.Helper()
	img := b.get(t, id).Images[index]
	if img.Status != job.StatusFailed || img.Error.Code != code {
		t.Errorf("image %d is %s with %v, want failed with %s", index, img.Status, img.Error, code)
	}
}

// Two images of a job are claimed by two instances at the same time, and only one
// may be paid for.
func TestTwoInstancesDoNotOverspend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		other := worker.New(b.config)
		b.generator.answer = func(context.Context) (job.Picture, error) {
			time.Sleep(time.Second) // both are claimed before one ends
			return b.picture, nil
		}
		j, tasks := b.createBound(t, 2, 2*price)
		_, again := b.claimAndFail(t, tasks[0], price)
		go func() { _, _ = other.Deliver(t.Context(), again) }()
		if _, err := b.deliver(t, tasks[1]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		got := b.get(t, j.ID)
		if p := got.Progress(); p.Succeeded != 1 || p.Failed != 1 || len(b.generator.requests) != 1 {
			t.Errorf("%+v by %d requests, want one picture and one failure by one", p, len(b.generator.requests))
		}
		if got.SpentMicros() > got.Input.MaxCostMicros {
			t.Errorf("the job cost %d, and may cost %d", got.SpentMicros(), got.Input.MaxCostMicros)
		}
		for _, img := range got.Images {
			if img.Error != nil && !strings.HasPrefix(img.Error.Message, "The job may cost $0.068 at most, and one more attempt costs $0.034. Spent are $0.034, $0.034 of it") {
				t.Errorf("it failed with %v", img.Error)
			}
		}
	})
}

// Pictures that are as many as the job may pay for are all drawn at once.
func TestDeliverDrawsWhatTheJobMayPayFor(t *testing.T) {
	b := setup(t)
	j, tasks := b.createBound(t, 3, 3*price)
	for _, task := range tasks {
		if _, err := b.deliver(t, task); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.get(t, j.ID); got.Status != job.StatusSucceeded || got.SpentMicros() != 3*price {
		t.Errorf("%s for %d", got.Status, got.SpentMicros())
	}
}
