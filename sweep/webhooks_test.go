package sweep_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/sweep"
)

// ended records a job that has ended, whose process died before it put the task of
// its webhook, and returns the webhook.
func (b *bundle) ended(t *testing.T) job.Webhook {
	t.Helper()
	j, _, err := b.record.Create(t.Context(), record.Draft{
		ID: uuid.NewString(), Lanes: []string{"a"}, Weight: 1, ExpiresIn: time.Hour,
		Input: job.Input{Prompt: "p", Model: "m", Count: 1, Webhook: &job.Receiver{Events: job.EndEvents()}},
	})
	if err == nil {
		_, err = b.record.Cancel(t.Context(), j.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	hooks, err := b.record.Webhooks(t.Context(), j.ID)
	if err != nil || len(hooks) != 1 {
		t.Fatalf("%+v, %v", hooks, err)
	}
	return hooks[0]
}

// lastTask returns the name of the task that was put last, without its queue.
func (b *bundle) lastTask() string {
	if len(b.queue.Requests) == 0 {
		return ""
	}
	req := b.queue.Requests[len(b.queue.Requests)-1]
	return req.GetTask().GetName()[len(req.GetParent()+"/tasks/"):]
}

// A crash between a job's end and the task of its webhook is made up for, though no
// work is left, and no sweep is asked for once it is.
func TestSweepTellsWhatWasNotTold(t *testing.T) {
	b := setup(t, sweepQueue)
	w := b.ended(t)
	swept, err := b.sweeper.Sweep(t.Context())
	if err != nil || swept.Told != 0 || len(b.queue.Requests) != 1 || b.queue.Requests[0].GetParent() != sweepQueue {
		t.Fatalf("at once: %+v, %v, put %v; want the next sweep to be asked for", swept, err, b.queue.Requests)
	}
	b.advance(2 * time.Minute)
	if swept, err := b.sweeper.Sweep(t.Context()); err != nil || swept.Told != 1 || b.lastTask() != w.Task().ID() {
		t.Fatalf("%+v, %v, put %s", swept, err, b.lastTask())
	}
	b.sweeper.Producer = b.newProducer(sweepQueue) // another instance, which has asked for none
	b.advance(2 * time.Minute)
	before := len(b.queue.Requests)
	if swept, err := b.sweeper.Sweep(t.Context()); err != nil || swept.Told != 0 || len(b.queue.Requests) != before {
		t.Errorf("afterwards: %+v, %v, put %v", swept, err, b.queue.Requests[before:])
	}
}

// The task of a webhook may be gone, as after its queue was purged. Another of
// another name takes its place once it is long overdue.
func TestSweepTellsWhatIsOverdue(t *testing.T) {
	b := setup(t, sweepQueue)
	w := b.ended(t)
	note := job.WebhookNote{
		JobID: w.JobID, WebhookID: w.ID, State: job.WebhookWaiting, After: 5 * time.Hour, Try: job.WebhookTry{Number: 1},
	}
	if _, noted, err := b.record.NoteWebhook(t.Context(), note); !noted || err != nil {
		t.Fatal(noted, err)
	}
	b.advance(5 * time.Hour)
	if swept, err := b.sweeper.Sweep(t.Context()); err != nil || swept.Told != 0 {
		t.Errorf("when it is due: %+v, %v", swept, err)
	}
	b.advance(2 * time.Hour)
	w.Tries, w.Renewed = 1, 1
	if swept, err := b.sweeper.Sweep(t.Context()); err != nil || swept.Told != 1 || b.lastTask() != w.Task().ID() {
		t.Errorf("long after: %+v, %v, put %s, want %s", swept, err, b.lastTask(), w.Task().ID())
	}
}

// broken is a queue for webhooks that takes none.
type broken struct{ calls int }

func (b *broken) Put(context.Context, ...record.WebhookDue) (int, error) {
	b.calls++
	return 0, errors.New("there is no such queue")
}

// A queue that takes nothing is left alone after a page, whatever waits for it.
func TestSweepAsksABrokenQueueOnce(t *testing.T) {
	b := setup(t, sweepQueue)
	for range 101 { // a page and one more
		b.ended(t)
	}
	b.advance(2 * time.Minute)
	queue := &broken{}
	b.sweeper.Webhooks = queue
	if swept, err := b.sweeper.Sweep(t.Context()); err == nil || swept.Told != 0 || queue.calls != 1 {
		t.Errorf("%+v, %v, asked %d times", swept, err, queue.calls)
	}
}

// What cannot be put is left to the next sweep.
func TestSweepTellsAgain(t *testing.T) {
	b := setup(t, sweepQueue)
	b.ended(t)
	b.advance(2 * time.Minute)
	b.queue.Errs = []error{grpcstatus.Error(codes.PermissionDenied, "no")}
	if _, err := b.sweeper.Sweep(t.Context()); err == nil {
		t.Error("no error")
	}
	b.advance(2 * time.Minute)
	if swept, err := b.sweeper.Sweep(t.Context()); err != nil || swept.Told != 1 {
		t.Errorf("%+v, %v", swept, err)
	}
}

// Webhooks that wait while there is no queue for them keep no sweeps going: nothing
// would come of these.
func TestSweepsEndWithoutAQueueForWebhooks(t *testing.T) {
	b := setup(t, sweepQueue)
	b.ended(t)
	b.sweeper.Webhooks = nil
	b.advance(2 * time.Hour)
	if swept, err := b.sweeper.Sweep(t.Context()); err != nil || swept.Told != 0 || len(b.queue.Requests) != 0 {
		t.Errorf("%+v, %v, put %v; want nothing", swept, err, b.queue.Requests)
	}
}

// silent is a bucket that does not answer.
type silent struct{ remover }

func (*silent) RemoveJob(ctx context.Context, _ job.Job) error {
	<-ctx.Done()
	return ctx.Err()
}

// A bucket that does not answer keeps no webhook back, nor the report, nor the next
// sweep, and the sweep ends before Cloud Tasks stops listening.
func TestSweepTellsWhileTheBucketIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, sweepQueue)
		b.sweeper.Objects = &silent{}
		b.ended(t)
		b.advance(31 * day) // it is past retention, and its webhook was never told
		w := b.ended(t)
		b.advance(2 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		swept, err := b.sweeper.Sweep(ctx)
		if ctx.Err() != nil || swept.Told != 2 || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sweep.ErrNoNextSweep) {
			t.Errorf("swept %+v, %v; %v", swept, err, ctx.Err())
		}
		if hooks, err := b.record.PendingWebhooks(t.Context(), w.JobID); len(hooks) != 0 || err != nil {
			t.Errorf("still pending: %v, %v", hooks, err)
		}
		if !strings.Contains(b.log.String(), `"oldest_waiting_seconds"`) {
			t.Errorf("no report: %s", b.log)
		}
	})
}

// A crash between what makes a budget reach a level and the task of its webhook is made
// up for.
func TestSweepTellsOfBudgets(t *testing.T) {
	b := setup(t, sweepQueue)
	from := time.Date(2126, 1, 1, 0, 0, 0, 0, time.UTC)
	p := job.BudgetPeriod{Scope: job.ServiceBudget, From: from, To: from.AddDate(0, 1, 0), LimitMicros: 100}
	j, _, err := b.record.Create(t.Context(), record.Draft{
		ID: uuid.NewString(), Lanes: []string{"a"}, Weight: 1, ExpiresIn: time.Hour, Input: job.Input{Prompt: "p", Model: "m", Count: 1},
		PriceMicros: 60, Budgets: record.Budgets{Periods: []job.BudgetPeriod{p}, Webhooks: true},
	})
	if err == nil {
		_, err = b.record.Cancel(t.Context(), j.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.advance(2 * time.Minute)
	swept, err := b.sweeper.Sweep(t.Context())
	id := job.BudgetWebhookID(job.BudgetReached{Scope: p.Scope, From: p.From, To: p.To, LimitMicros: 100, Percent: 50})
	if want := (job.WebhookTask{WebhookID: id, Try: 1}).ID(); err != nil || swept.Told != 1 || b.lastTask() != want {
		t.Errorf("%+v, %v, put %s, want %s", swept, err, b.lastTask(), want)
	}
}
