package enqueue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// A WebhookTarget says where the tries of webhooks wait, and which address their
// deliveries call. They are signed as those of pictures.
type WebhookTarget struct {
	Queue            string // full name
	URL              string // where the worker takes deliveries of webhooks
	DispatchDeadline time.Duration
}

// A webhookRecord is the part of the record that webhooks are kept in.
type webhookRecord interface {
	record.WebhookKeeper
	record.JobOperators
}

// Webhooks puts the tries of webhooks on their queue. It is safe for concurrent
// use.
type Webhooks struct {
	record  webhookRecord
	queue   Queue
	target  Target
	next    *nextSweep
	process context.Context //nolint:containedctx // see Config.Process
	log     *slog.Logger
}

// Webhooks returns what puts webhooks on the queue of the producer's target.
func (p *Producer) Webhooks() *Webhooks {
	return &Webhooks{
		record: p.record, queue: p.queue, target: p.target, next: p.next, process: p.process, log: p.log,
	}
}

// WebhookBody is the body of the delivery of a try.
type WebhookBody struct {
	JobID     string `json:"job_id"`
	WebhookID string `json:"webhook_id"`
	Try       int    `json:"try"`
	PutOff    int    `json:"put_off,omitempty"`
	Renewed   int    `json:"renewed,omitempty"`
}

// Task returns the task that b describes.
func (b WebhookBody) Task() job.WebhookTask { return job.WebhookTask(b) }

// tellTimeout bounds how long a transition waits for the tasks of its webhooks.
const tellTimeout = 5 * time.Second

// Tell puts the webhooks of jobs on the queue that are not known to be there, and
// notes that they are. It takes a few seconds at most, and goes on if ctx ends,
// but not if the process does. What it cannot put it logs, for the sweep to put.
func (w *Webhooks) Tell(ctx context.Context, jobIDs ...string) {
	ctx, release := outlive(ctx, w.process)
	defer release()
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	due, err := w.record.PendingWebhooks(ctx, jobIDs...)
	if err == nil {
		_, err = w.Put(ctx, due...)
	}
	if err != nil {
		w.log.WarnContext(ctx, "webhooks are not on their queue; the sweep puts them there", "error", err, "job_ids", jobIDs)
	}
}

// Put puts tasks on the queue, notes that in the record, and returns how many it
// put. A task that is there already counts as put. One that cannot be created does
// not stop the others.
func (w *Webhooks) Put(ctx context.Context, due ...record.WebhookDue) (int, error) {
	put, errs := createAll(ctx, due, func(ctx context.Context, d record.WebhookDue) error { return w.PutWebhook(ctx, d.At, d.Task) })
	failed := firstOf(errs)
	if len(put) == 0 {
		return 0, failed
	}
	tasks := make([]job.WebhookTask, len(put))
	for i, d := range put {
		tasks[i] = d.Task
	}
	return len(put), errors.Join(failed, w.record.WebhooksEnqueued(ctx, tasks...))
}

// firstOf returns the first error of a list, and how many there are more.
func firstOf(errs []error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) < 2 {
		return errors.Join(errs...)
	}
	return fmt.Errorf("%w (and %d tasks more)", errs[0], len(errs)-1)
}

// PutWebhook puts a task on the queue, to be delivered not before at. One that is
// or was there is left as it is. It notes nothing.
func (w *Webhooks) PutWebhook(ctx context.Context, at time.Time, t job.WebhookTask) error {
	if w.target.Webhooks.Queue == "" {
		return errors.New("enqueue: WEBHOOK_QUEUE is not set, so webhooks have no queue: name one")
	}
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	req, err := w.target.webhookRequest(t, at)
	if err != nil {
		return fmt.Errorf("enqueue: task %s: %w", t.ID(), err)
	}
	_, err = w.queue.CreateTask(ctx, req, gax.WithRetry(newRetryer))
	if err != nil && grpcstatus.Code(err) != codes.AlreadyExists {
		return fmt.Errorf("enqueue: create task %s: %w", t.ID(), err)
	}
	return nil
}

// Replay makes a webhook wait for the first try of a new round, and puts that on
// the queue. If it cannot put it, a sweep does, for which it asks first. It fails
// with the record's errors.
func (w *Webhooks) Replay(ctx context.Context, jobID, id string) (job.Webhook, error) {
	return w.replay(ctx, jobID, func() (job.Webhook, error) { return w.record.ReplayWebhook(ctx, jobID, id) })
}

// ReplayByHand does what Replay does, by an operator.
func (w *Webhooks) ReplayByHand(ctx context.Context, jobID, id string, a record.Act) (job.Webhook, error) {
	return w.replay(ctx, jobID, func() (job.Webhook, error) { return w.record.ReplayWebhookByHand(ctx, jobID, id, a) })
}

func (w *Webhooks) replay(ctx context.Context, jobID string, wait func() (job.Webhook, error)) (job.Webhook, error) {
	if err := w.next.askFor(ctx, time.Now()); err != nil {
		w.log.WarnContext(ctx, "a crash now would be found by Cloud Scheduler's sweep only", "error", err)
	}
	hook, err := wait()
	if err == nil {
		w.Tell(ctx, jobID)
	}
	return hook, err
}

// webhookRequest returns the call that puts the task of a try on the queue.
func (t Target) webhookRequest(task job.WebhookTask, at time.Time) (*cloudtaskspb.CreateTaskRequest, error) {
	body, err := json.Marshal(WebhookBody(task))
	if err != nil {
		return nil, err
	}
	return &cloudtaskspb.CreateTaskRequest{Parent: t.Webhooks.Queue, Task: &cloudtaskspb.Task{
		Name: t.Webhooks.Queue + "/tasks/" + task.ID(),
		MessageType: &cloudtaskspb.Task_HttpRequest{HttpRequest: t.sign(&cloudtaskspb.HttpRequest{
			HttpMethod: cloudtaskspb.HttpMethod_POST,
			Url:        t.Webhooks.URL,
			Headers:    map[string]string{"Content-Type": "application/json"},
			Body:       body,
		})},
		ScheduleTime:     timestamppb.New(at),
		DispatchDeadline: durationpb.New(t.Webhooks.DispatchDeadline),
	}}, nil
}
