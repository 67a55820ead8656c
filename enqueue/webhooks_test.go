package enqueue_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/enqueue/enqueuetest"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
)

const webhookQueue = "projects/p/locations/l/queues/webhook"

type hooks struct {
	*enqueue.Webhooks

	record  *memory.Record
	queue   *enqueuetest.Queue
	process context.CancelFunc
	log     *strings.Builder
	job     job.Job // one that was canceled, of which the end is to be told
}

func setupWebhooks(t *testing.T) hooks {
	t.Helper()
	process, end := context.WithCancel(t.Context())
	h := hooks{record: memory.New(), queue: &enqueuetest.Queue{}, process: end, log: &strings.Builder{}}
	h.Webhooks = enqueue.New(enqueue.Config{
		Record: h.record, Queue: h.queue, Process: process, Log: slog.New(slog.NewTextHandler(h.log, nil)),
		Target: enqueue.Target{
			ServiceAccount: "tasks@p.iam.gserviceaccount.com", Audience: "https://worker.example.com",
			SweepQueue: "projects/p/locations/l/queues/sweep", SweepURL: "https://worker.example.com/tasks/sweep",
			Webhooks: enqueue.WebhookTarget{
				Queue: webhookQueue, URL: "https://worker.example.com/tasks/webhook", DispatchDeadline: time.Minute,
			},
		},
	}).Webhooks()
	h.job, _, _ = h.record.Create(t.Context(), record.Draft{
		ID: uuid.NewString(), Lanes: []string{"a"}, Weight: 1, ExpiresIn: time.Hour,
		Input: job.Input{Prompt: "p", Model: "m", Count: 1, Webhook: &job.Receiver{Events: job.EndEvents()}},
	})
	if _, err := h.record.Cancel(t.Context(), h.job.ID); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h hooks) hook(t *testing.T) job.Webhook {
	t.Helper()
	all, err := h.record.Webhooks(t.Context(), h.job.ID)
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	return all[0]
}

func (h hooks) pending(t *testing.T) int {
	t.Helper()
	due, err := h.record.PendingWebhooks(t.Context(), h.job.ID)
	if err != nil {
		t.Fatal(err)
	}
	return len(due)
}

func TestTellPutsTheTasksOfWebhooks(t *testing.T) {
	t.Parallel()
	h := setupWebhooks(t)
	hook := h.hook(t)
	h.Tell(t.Context(), h.job.ID)
	h.Tell(t.Context(), h.job.ID) // nothing is left

	body, err := json.Marshal(enqueue.WebhookBody{JobID: h.job.ID, WebhookID: hook.ID, Try: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := []*cloudtaskspb.CreateTaskRequest{{Parent: webhookQueue, Task: &cloudtaskspb.Task{
		Name: webhookQueue + "/tasks/" + hook.Task().ID(),
		MessageType: &cloudtaskspb.Task_HttpRequest{HttpRequest: &cloudtaskspb.HttpRequest{
			HttpMethod: cloudtaskspb.HttpMethod_POST, Url: "https://worker.example.com/tasks/webhook",
			Headers: map[string]string{"Content-Type": "application/json"}, Body: body,
			AuthorizationHeader: &cloudtaskspb.HttpRequest_OidcToken{OidcToken: &cloudtaskspb.OidcToken{
				ServiceAccountEmail: "tasks@p.iam.gserviceaccount.com", Audience: "https://worker.example.com",
			}},
		}},
		ScheduleTime: timestamppb.New(hook.NextAt), DispatchDeadline: durationpb.New(time.Minute),
	}}}
	if diff := cmp.Diff(want, h.queue.Requests, protocmp.Transform()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if n := h.pending(t); n != 0 {
		t.Errorf("%d tasks are not known to be on the queue", n)
	}
}

// A transition waits some seconds for its webhooks at most, and does not fail.
func TestTellIsBounded(t *testing.T) {
	t.Parallel()
	unavailable := func(string) error { return grpcstatus.Error(codes.Unavailable, "away") }
	for name, c := range map[string]struct {
		begin func(h hooks) context.Context
		least time.Duration
		most  time.Duration
		left  int
	}{
		"the queue is away": {func(h hooks) context.Context {
			h.queue.Refuse = unavailable
			return context.Background()
		}, time.Second, 5 * time.Second, 1},
		"the caller has gone": {func(hooks) context.Context {
			ctx, end := context.WithCancel(context.Background())
			end()
			return ctx
		}, 0, 0, 0},
		"the process ends": {func(h hooks) context.Context {
			h.queue.Refuse = func(string) error {
				h.process()
				return unavailable("")
			}
			return context.Background()
		}, 0, 100 * time.Millisecond, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := setupWebhooks(t)
				ctx, begin := c.begin(h), time.Now()
				h.Tell(ctx, h.job.ID)
				if took := time.Since(begin); took < c.least || took > c.most {
					t.Errorf("it took %s, want %s to %s", took, c.least, c.most)
				}
				if n := h.pending(t); n != c.left || (n > 0) != strings.Contains(h.log.String(), "the sweep puts them there") {
					t.Errorf("%d are left, and the log says %s", n, h.log)
				}
			})
		})
	}
}

// Nobody asks for a sweep after a job has ended. So a replay does, before anything
// else: a crash after it must not leave a webhook that waits for nothing.
func TestReplayAsksForASweepFirst(t *testing.T) {
	t.Parallel()
	h := setupWebhooks(t)
	hook := h.hook(t)
	if _, err := h.Replay(t.Context(), h.job.ID, hook.ID); !errors.Is(err, record.ErrWaiting) {
		t.Errorf("a replay of one that waits: %v", err)
	}
	note := job.WebhookNote{JobID: h.job.ID, WebhookID: hook.ID, State: job.WebhookDelivered, Try: job.WebhookTry{Number: 1}}
	if _, _, err := h.record.NoteWebhook(t.Context(), note); err != nil {
		t.Fatal(err)
	}
	replayed, err := h.Replay(t.Context(), h.job.ID, hook.ID)
	if err != nil || replayed.State != job.WebhookWaiting || replayed.RoundFrom != 1 {
		t.Fatalf("%+v, %v", replayed, err)
	}
	if len(h.queue.Requests) != 2 || !strings.Contains(h.queue.Requests[0].GetTask().GetName(), "/sweep-") ||
		!strings.HasSuffix(h.queue.Requests[1].GetTask().GetName(), replayed.Task().ID()) || h.pending(t) != 0 {
		t.Errorf("put %v", h.queue.Requests)
	}
}

func TestWebhooksNeedAQueue(t *testing.T) {
	t.Parallel()
	w := enqueue.New(enqueue.Config{Record: memory.New(), Queue: &enqueuetest.Queue{}}).Webhooks()
	if err := w.PutWebhook(t.Context(), time.Now(), job.WebhookTask{}); err == nil || !strings.Contains(err.Error(), "WEBHOOK_QUEUE") {
		t.Errorf("%v", err)
	}
}

// A sweep puts a page of tasks. Of many that fail, the error names one.
func TestPutSaysOfManyTasksThatTheyFail(t *testing.T) {
	t.Parallel()
	h := setupWebhooks(t)
	h.queue.Refuse = func(name string) error {
		if strings.HasSuffix(name, "-good-1-0-0") {
			return nil
		}
		return grpcstatus.Error(codes.PermissionDenied, "no")
	}
	var due []record.WebhookDue
	for _, id := range []string{"bad", "good", "bad2", "bad3"} {
		due = append(due, record.WebhookDue{Task: job.WebhookTask{WebhookID: id, Try: 1}})
	}
	put, err := h.Put(t.Context(), due...)
	if put != 1 || err == nil || !strings.Contains(err.Error(), "and 2 tasks more") || strings.Count(err.Error(), "PermissionDenied") != 1 {
		t.Errorf("put %d, %v", put, err)
	}
	if n := len(h.queue.Requests); n != 4 {
		t.Errorf("%d were tried, want all", n)
	}
}

// What makes a budget reach a level puts the webhook of that on the queue.
func TestTellPutsTheTasksOfBudgets(t *testing.T) {
	t.Parallel()
	h := setupWebhooks(t)
	book := record.BudgetBook{
		Budgets: job.Budgets{job.ServiceBudget: {LimitMicros: 100, Per: job.PerDay, Zone: time.UTC}},
		Log:     slog.New(slog.DiscardHandler), Tell: func() { h.Tell(t.Context(), "") },
	}
	_, _, err := h.record.Create(t.Context(), record.Draft{
		ID: uuid.NewString(), Lanes: []string{"a"}, Weight: 1, ExpiresIn: time.Hour, Input: job.Input{Prompt: "p", Model: "m", Count: 1},
		PriceMicros: 80, Budgets: book.Of("acme", time.Now()),
	})
	if err != nil || len(h.queue.Requests) != 1 {
		t.Fatalf("put %v, %v", h.queue.Requests, err)
	}
	body := string(h.queue.Requests[0].GetTask().GetHttpRequest().GetBody())
	if !strings.HasPrefix(body, `{"job_id":"","webhook_id":"msg_budget_`) {
		t.Errorf("put %s", body)
	}
	if due, err := h.record.PendingWebhooks(t.Context(), ""); err != nil || len(due) != 0 {
		t.Errorf("%+v are not known to be on the queue, %v", due, err)
	}
}
