package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// A Record keeps webhooks. Its errors mean that it cannot be reached.
type Record interface {
	// Webhook returns a webhook, and its job as it is now. It reports false if
	// there is none, as after its job was removed.
	Webhook(ctx context.Context, jobID, id string) (hook job.Webhook, j job.Job, found bool, err error)
	// NoteWebhook notes how a try ended: it adds the try to the webhook's log,
	// sets its state and Tries, and returns when its next try is due, which is
	// zero if it waits for none.
	//
	// It does so only if the webhook waits for the try of that number, and else
	// changes nothing and reports false. With job.WebhookGone, all waiting
	// webhooks of the job become gone, and no more are recorded for it. Of budgets,
	// only that one becomes gone.
	NoteWebhook(context.Context, job.WebhookNote) (nextAt time.Time, noted bool, err error)
}

// A Queue carries the tries that are to come.
type Queue interface {
	// PutWebhook puts a task on the queue, to be delivered not before at. One
	// that is or was there is left as it is.
	PutWebhook(ctx context.Context, at time.Time, t job.WebhookTask) error
}

// DeliveryTimeout is how long a delivery takes at most. The dispatch deadline of
// its task must be above it, or one try is made twice.
const DeliveryTimeout = 45 * time.Second

const (
	// noteTimeout is how long a delivery may take to note its outcome, and to
	// put the next task on the queue.
	noteTimeout = 10 * time.Second
	// farewell is how much of that is left once the process has to end. It is
	// the same as for deliveries of pictures.
	farewell = time.Second
)

// Verdict is what the end of a delivery means for its task.
type Verdict int

const (
	// VerdictDone means that the task has served its purpose. A try that is to
	// come has a task of its own.
	VerdictDone Verdict = iota
	// VerdictAgain means that the task must be delivered again as it is.
	VerdictAgain
	// VerdictUnavailable means that the record cannot be reached. No other
	// delivery would do better now, so the queue should slow down.
	VerdictUnavailable
)

// A Receiver is who is told, and what signs and sends that.
type Receiver struct {
	URL    string
	Sender *Sender
}

// Config is what a deliverer works with.
type Config struct {
	Record   Record
	Queue    Queue
	Sender   *Sender  // of what jobs' receivers are told; nil if that cannot be signed
	Budgets  Receiver // who is told of budgets; nobody if it has no sender
	Schedule Schedule
	// Render returns a job as callers see it, as JSON. Its presigned URLs are
	// those of now, since a try may come days after its event.
	Render func(job.Job) (json.RawMessage, error)
	// Draining is closed once the process has been told to end. From then on
	// no try begins. nil stands for never.
	Draining <-chan struct{}
	Log      *slog.Logger
}

// Deliverer works on deliveries of the queue for webhooks. It is safe for
// concurrent use.
type Deliverer struct {
	record    Record
	queue     Queue
	sender    *Sender
	budgets   Receiver
	schedule  Schedule
	render    func(job.Job) (json.RawMessage, error)
	draining  <-chan struct{}
	logger    *slog.Logger
	receivers *receivers
	underWay  sync.Map // webhooks that a delivery is working on, by id
}

// NewDeliverer returns a deliverer.
func NewDeliverer(cfg Config) *Deliverer {
	return &Deliverer{
		record: cfg.Record, queue: cfg.Queue, sender: cfg.Sender, budgets: cfg.Budgets, schedule: cfg.Schedule, render: cfg.Render,
		draining: cfg.Draining, logger: cfg.Log, receivers: newReceivers(),
	}
}

// Deliver makes the try that a delivered task asks for, notes its outcome, and
// puts the task of the next try on the queue. ctx must end when the process
// shuts down, and not when the caller goes away.
//
// A delivery that comes twice makes no second try: not while the first is under
// way in this process, nor once that is noted. If the process ends between a try
// and its note, the receiver is told again with the same webhook-id.
//
// The error says what was wrong with the service, for the log. The verdict
// stands with or without it.
func (d *Deliverer) Deliver(ctx context.Context, t job.WebhookTask) (Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, DeliveryTimeout)
	defer cancel()
	if d.isDraining() {
		return VerdictAgain, nil
	}
	if _, busy := d.underWay.LoadOrStore(t.WebhookID, nil); busy {
		return VerdictAgain, nil
	}
	defer d.underWay.Delete(t.WebhookID)

	hook, j, found, err := d.record.Webhook(ctx, t.JobID, t.WebhookID)
	switch {
	case err != nil:
		return unreachable(ctx, fmt.Errorf("webhook: read %s: %w", t.WebhookID, err))
	case !found, hook.State != job.WebhookWaiting, t.Renewed < hook.Renewed: // another task came in place of this one
		return VerdictDone, nil
	case t.Try <= hook.Tries:
		// The try was made, and its next one may have no task: the process can
		// have ended before it put that on the queue.
		return d.put(ctx, hook.NextAt, hook.Task())
	}
	to := d.receiverOf(hook, j)
	switch {
	case to.Sender != nil:
		return d.try(ctx, t, hook, j, to)
	case hook.Budget != nil:
		return d.tellNobody(ctx, hook)
	}
	return VerdictUnavailable, fmt.Errorf("webhook: %s waits, and cannot be signed: WEBHOOK_SECRET is not set", hook.ID)
}

// receiverOf returns who is told of a webhook.
func (d *Deliverer) receiverOf(hook job.Webhook, j job.Job) Receiver {
	switch {
	case hook.Budget != nil:
		return d.budgets
	case j.Input.Webhook == nil:
		return Receiver{Sender: d.sender}
	}
	return Receiver{j.Input.Webhook.URL, d.sender}
}

// tellNobody ends a webhook of a budget: nobody is told of budgets any more.
func (d *Deliverer) tellNobody(ctx context.Context, hook job.Webhook) (Verdict, error) {
	o := failed(ResultFailed, job.WebhookRefusedURL, "BUDGET_WEBHOOK is not set, so nobody is told.")
	o.Try.StartedAt, o.Try.Number = time.Now().UTC(), hook.Tries+1
	note := d.follow(hook, o)
	d.log(ctx, hook, note, "")
	return d.note(ctx, hook, note)
}

func (d *Deliverer) isDraining() bool {
	select {
	case <-d.draining:
		return true
	default:
		return false
	}
}

// try makes the next try of a webhook. If its receiver is busy with others, it
// puts the try off.
func (d *Deliverer) try(ctx context.Context, t job.WebhookTask, hook job.Webhook, j job.Job, to Receiver) (Verdict, error) {
	host := hostOf(to.URL)
	leave, ok := d.receivers.take(host)
	if !ok {
		at := time.Now().Add(putOffBy(t.PutOff))
		later := hook.Task()
		later.PutOff = t.PutOff + 1
		return d.put(ctx, at, later)
	}
	outcome, err := d.send(ctx, to, hook, j)
	leave()
	if err != nil {
		return VerdictAgain, nil //nolint:nilerr // the process ends, or the record was too slow
	}
	outcome.Try.Number = hook.Tries + 1
	note := d.follow(hook, outcome)
	d.log(ctx, hook, note, host)
	return d.note(ctx, hook, note)
}

// send tells the receiver.
func (d *Deliverer) send(ctx context.Context, to Receiver, hook job.Webhook, j job.Job) (Outcome, error) {
	body, err := d.body(hook, j)
	if err == nil {
		return to.Sender.Send(ctx, to.URL, hook.ID, body)
	}
	d.logger.ErrorContext(ctx, "a webhook cannot be made", "error", err, "job_id", hook.JobID, "webhook_id", hook.ID)
	o := internal()
	o.Try.StartedAt = time.Now().UTC()
	return o, nil
}

// body returns what the receiver is told.
func (d *Deliverer) body(hook job.Webhook, j job.Job) ([]byte, error) {
	if hook.Budget != nil {
		return Body(hook, nil)
	}
	snapshot, err := d.render(j)
	if err != nil {
		return nil, err
	}
	return Body(hook, snapshot)
}

// follow returns what is to be noted of an outcome, with what comes of it.
func (d *Deliverer) follow(hook job.Webhook, o Outcome) job.WebhookNote {
	note := job.WebhookNote{JobID: hook.JobID, WebhookID: hook.ID, Try: o.Try, State: job.WebhookFailed}
	switch o.Result {
	case ResultDelivered:
		note.State = job.WebhookDelivered
	case ResultGone:
		note.State = job.WebhookGone
	case ResultAgain:
		if after, ok := d.schedule.After(o.Try.Number-hook.RoundFrom, o.RetryAfter); ok {
			note.State, note.After = job.WebhookWaiting, after
		}
	case ResultFailed:
	}
	return note
}

// note notes the outcome, and puts the task of the next try on the queue. It
// does so too if the process has to end meanwhile: a receiver that was told is
// not to be told again.
func (d *Deliverer) note(ctx context.Context, hook job.Webhook, note job.WebhookNote) (Verdict, error) {
	ctx, cancel := outlive(ctx)
	defer cancel()
	nextAt, noted, err := d.record.NoteWebhook(ctx, note)
	switch {
	case err != nil:
		return VerdictUnavailable, fmt.Errorf("webhook: note try %d of %s: %w", note.Try.Number, hook.ID, err)
	case !noted:
		return VerdictAgain, nil // another delivery was quicker; the next one of this task sees what came of it
	case nextAt.IsZero():
		return VerdictDone, nil
	}
	hook.Tries = note.Try.Number
	return d.put(ctx, nextAt, hook.Task())
}

// outlive returns a context that lasts for noteTimeout, and for farewell once ctx
// has ended.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(farewell):
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() {
		stop()
		cancel()
	}
}

// put puts a task on the queue. If it cannot, the delivery has to come again,
// and then puts it.
func (d *Deliverer) put(ctx context.Context, at time.Time, t job.WebhookTask) (Verdict, error) {
	if err := d.queue.PutWebhook(ctx, at, t); err != nil {
		return VerdictAgain, fmt.Errorf("webhook: put try %d of %s on the queue: %w", t.Try, t.WebhookID, err)
	}
	return VerdictDone, nil
}

// log says how a try ended. It names the host only: the rest of a receiver's
// address may hold a secret.
func (d *Deliverer) log(ctx context.Context, hook job.Webhook, note job.WebhookNote, host string) {
	level := slog.LevelInfo
	if note.State == job.WebhookFailed {
		level = slog.LevelWarn
	}
	d.logger.Log(ctx, level, "webhook tried", "job_id", hook.JobID, "webhook_id", hook.ID, "event", hook.Event, "host", host,
		"try", note.Try.Number, "state", note.State, "status", note.Try.Status, "failure", note.Try.Failure,
		"next_in_seconds", note.After.Seconds(), "duration_ms", note.Try.Duration.Milliseconds())
}

// unreachable returns the verdict on a delivery that the record did not answer.
func unreachable(ctx context.Context, err error) (Verdict, error) {
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) || ctx.Err() == nil {
		return VerdictUnavailable, err
	}
	return VerdictAgain, nil // the process ends
}

// hostOf returns the host of a URL, by which tries to one receiver are counted.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}
