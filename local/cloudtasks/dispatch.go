package cloudtasks

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// An attempt is one delivery of a task.
type attempt struct {
	task      *task
	order     order // what to send; fixed when the attempt was dispatched
	number    int   // 1 is the first
	scheduled time.Time
	at        time.Time
	deadline  time.Duration
	forced    bool // by RunTask: outside the rate and the concurrency limit
	duplicate bool // its answer changes nothing
}

// An answer is what came back.
type answer struct {
	status     int  // 0 without one
	received   bool // a worker answered, whatever it said
	timedOut   bool
	aborted    bool
	retryAfter time.Duration
	err        error
}

func (a answer) ok() bool { return a.status >= 200 && a.status <= 299 }

// dispatch counts an attempt of t and sends it.
func (e *engine) dispatch(t *task, now time.Time, forced bool) {
	q := t.queue
	if e.opts.SlowStart && !forced {
		q.startSlowly(now)
	}
	t.pb.DispatchCount++
	t.running++
	t.pb.LastAttempt = &cloudtaskspb.Attempt{ScheduleTime: t.pb.GetScheduleTime(), DispatchTime: micros(now)}
	if t.pb.GetFirstAttempt() == nil {
		t.pb.FirstAttempt = &cloudtaskspb.Attempt{DispatchTime: micros(now)}
	}
	e.recordTask(t, now)
	a := attempt{
		task: t, order: e.newOrder(t), number: int(t.pb.GetDispatchCount()),
		scheduled: t.due, at: now, deadline: t.deadline(), forced: forced,
	}
	if !forced {
		q.inFlight++
		q.lastSent = now
	}
	e.send(a)
	e.sendTwice(a)
}

// deadline returns how long an attempt may take. An App Engine task has the
// default of automatic scaling.
func (t *task) deadline() time.Duration {
	if d := t.pb.GetDispatchDeadline().AsDuration(); d > 0 {
		return d
	}
	return defaultDeadline
}

// send delivers a in its own goroutine.
func (e *engine) send(a attempt) {
	if e.closed {
		return
	}
	a.task.queue.stats.Dispatched++
	done := beginDelivery(e.clock)
	e.attempts.Go(func() {
		defer done()
		settled, settle := context.WithCancel(context.Background())
		defer settle()
		e.finish(a, e.deliver(settled, a))
	})
}

// sendTwice delivers a once more if Options.Duplicates says so.
func (e *engine) sendTwice(a attempt) {
	d := e.opts.Duplicates
	e.sent++
	every := d.Every > 0 && e.sent%uint64(d.Every) == 0
	if !every && (d.Probability <= 0 || e.rng.Float64() >= d.Probability) {
		return
	}
	a.duplicate = true
	if d.Delay <= 0 {
		e.send(a)
		return
	}
	e.clock.AfterFunc(d.Delay, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		a.at = e.clock.Now()
		e.send(a)
	})
}

// deliver sends the request and waits for its answer until the deadline; then it
// closes the connection and ignores what still comes. The clock does not move on
// from a deadline until its attempt is settled.
func (e *engine) deliver(settled context.Context, a attempt) answer {
	ctx, cancel := context.WithCancelCause(e.ctx)
	defer cancel(nil)
	timer := wallClock(e.clock).AfterFunc(a.deadline, func() {
		context.AfterFunc(settled, beginDelivery(e.clock))
		cancel(errDeadline)
	})
	defer timer.Stop()
	req, err := e.newRequest(ctx, a.order)
	if err != nil {
		return answer{err: err}
	}
	res, err := e.client.Do(req)
	if err != nil {
		return lost(ctx, err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil && ctx.Err() != nil {
		return lost(ctx, err)
	}
	return answer{status: res.StatusCode, received: true, retryAfter: retryAfter(res, wallClock(e.clock).Now())}
}

// lost returns the answer of an attempt that got none: its deadline passed, the
// emulator closed, or the worker could not be reached.
func lost(ctx context.Context, err error) answer {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errDeadline):
		return answer{status: statusDeadline, timedOut: true, err: errDeadline}
	case errors.Is(cause, errShutdown):
		return answer{aborted: true, err: errShutdown}
	}
	return answer{status: statusNoResponse, err: err}
}

// retryAfter reads the Retry-After header, in seconds or as a date, and returns
// at most maxRetryAfter. It returns 0 for any status but 429 and 503.
func retryAfter(res *http.Response, now time.Time) time.Duration {
	value := res.Header.Get("Retry-After")
	if value == "" || res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	// A number that is out of range comes as the nearest one. It is cut before it
	// becomes a duration, which could overflow.
	if n, err := strconv.Atoi(value); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(max(0, min(n, int(maxRetryAfter/time.Second)))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, min(at.Sub(now), maxRetryAfter))
	}
	return 0
}

// finish settles an attempt, logs it and calls OnDispatch.
func (e *engine) finish(a attempt, r answer) {
	e.mu.Lock()
	now := e.clock.Now()
	d := Dispatch{
		Queue: a.task.queue.name(), Task: a.task.name(), URL: a.order.url, Attempt: a.number,
		Scheduled: a.scheduled, At: a.at, Latency: now.Sub(a.at), Status: r.status, Err: r.err,
		Forced: a.forced, Duplicate: a.duplicate,
	}
	d.Outcome, d.Next = e.settle(a, r, now)
	if !a.duplicate && !e.closed {
		e.pump(a.task.queue)
	}
	e.mu.Unlock()
	e.log.Debug("cloud tasks: delivered", slog.String("task", d.Task), slog.Int("attempt", d.Attempt),
		slog.Int("status", d.Status), slog.Duration("latency", d.Latency), slog.String("outcome", string(d.Outcome)))
	if e.opts.OnDispatch != nil {
		e.observing.Lock()
		defer e.observing.Unlock()
		e.opts.OnDispatch(d)
	}
}

// settle brings task and queue up to date with an answer. It returns what came of
// the answer and when the task comes again.
func (e *engine) settle(a attempt, r answer, now time.Time) (Outcome, time.Time) {
	if a.duplicate {
		return Ignored, time.Time{}
	}
	t, q := a.task, a.task.queue
	t.running--
	if !a.forced {
		q.inFlight--
	}
	if r.aborted {
		return Aborted, time.Time{}
	}
	if !e.opts.NoThrottling {
		q.noteAnswer(r.ok(), a.order.pushesBack(r), a.at, now)
	}
	if t.ended {
		return Ignored, time.Time{}
	}
	t.note(a, r, now)
	if r.ok() {
		q.stats.Succeeded++
		e.end(t, now)
		return Succeeded, time.Time{}
	}
	q.stats.Failed++
	return e.retry(a, r, now)
}

// note writes an answer into the task.
func (t *task) note(a attempt, r answer, now time.Time) {
	if r.received {
		t.pb.ResponseCount++
	}
	t.pb.LastAttempt = &cloudtaskspb.Attempt{
		ScheduleTime: micros(a.scheduled), DispatchTime: micros(a.at), ResponseTime: micros(now),
		ResponseStatus: rpcStatus(r.status),
	}
	if a.order.counts(r) {
		t.executed++
	}
	t.previous, t.reason = r.status, a.order.reason(r)
	if r.timedOut && a.order.appEngine {
		t.previous = statusNoResponse
	}
}

// retry plans the next attempt of a task that failed, or gives up on it.
func (e *engine) retry(a attempt, r answer, now time.Time) (Outcome, time.Time) {
	t := a.task
	if t.running > 0 { // RunTask beside another attempt: the last of them decides
		e.recordTask(t, now)
		return Ignored, time.Time{}
	}
	config, attempts := t.retryConfig(), int(t.pb.GetDispatchCount())
	from := now
	if a.forced { // documented: from when RunTask was called
		from = a.at
	}
	next := from.Add(max(backoff(config, attempts), r.retryAfter))
	if givesUp(config, attempts, t.sinceFirst(now)) {
		t.queue.stats.GaveUp++
		e.end(t, now)
		return GaveUp, time.Time{}
	}
	t.queue.due.remove(t)
	t.setDue(next)
	t.queue.due.add(t)
	e.recordTask(t, now)
	return Retrying, t.due
}

func micros(t time.Time) *timestamppb.Timestamp {
	return timestamppb.New(t.Truncate(time.Microsecond))
}
