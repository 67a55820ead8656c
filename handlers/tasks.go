package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/sweep"
	"github.com/ai-worker/ai-worker/worker"
)

// A Deliverer uses the slot that a delivered task brings. Its context ends when
// the process shuts down.
type Deliverer interface {
	Deliver(context.Context, job.Task) (worker.Verdict, error)
}

// A Sweeper finds and mends what crashes left behind.
type Sweeper interface {
	Sweep(context.Context) (sweep.Swept, error)
	// SweepDaily does what costs too much to be done with every sweep, too.
	SweepDaily(context.Context) (sweep.Swept, error)
}

// Tasks takes deliveries from Cloud Tasks.
type Tasks struct {
	Worker   Deliverer
	Sweeper  Sweeper
	Webhooks WebhookDeliverer // nil in a service without WEBHOOK_SECRET
	// Process ends when the process shuts down. Deliveries end with it, and not
	// with the request's context, which ends when Cloud Tasks stops listening.
	Process context.Context //nolint:containedctx // it is there to outlive requests
	Log     *slog.Logger
}

// answers returns what to answer Cloud Tasks for each verdict. Any 2xx ends the
// task, anything else makes it come again. 429 and 503 slow the whole queue.
func answers() map[worker.Verdict]int {
	return map[worker.Verdict]int{
		worker.VerdictDone:        http.StatusOK,
		worker.VerdictAgain:       http.StatusConflict,
		worker.VerdictUnavailable: http.StatusServiceUnavailable,
	}
}

// taskNameHeader is set on everything that Cloud Tasks delivers.
const taskNameHeader = "X-CloudTasks-TaskName"

// maxTaskBody is far above the size of any body of ours, in bytes.
const maxTaskBody = 4 << 10

// Generate serves POST /tasks/generate.
func (h *Tasks) Generate(w http.ResponseWriter, r *http.Request) {
	ctx, release := follow(r.Context(), h.Process)
	defer release()
	t, ok := readTask(ctx, h, w, r, decodeTask)
	if !ok {
		return
	}
	verdict, err := h.Worker.Deliver(ctx, t)
	if err != nil {
		h.Log.ErrorContext(ctx, "delivery failed", "error", err, "job_id", t.JobID, "index", t.Index)
	}
	w.WriteHeader(answers()[verdict])
}

// readTask reads the task that is delivered. If it cannot, it answers and reports
// false.
func readTask[T any](
	ctx context.Context, h *Tasks, w http.ResponseWriter, r *http.Request, decode func(io.Reader) (T, error),
) (t T, ok bool) {
	t, err := decode(http.MaxBytesReader(w, r.Body, maxTaskBody))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		h.Log.WarnContext(ctx, "a delivery did not come in time; it has to come again", "error", err)
		WriteProblem(w, http.StatusRequestTimeout, "The body did not come in time. Deliver the task again.")
	case err != nil: // a second delivery of it could not be read either
		h.Log.ErrorContext(ctx, "a delivery cannot be read; its task is dropped",
			"error", err, "path", r.URL.Path, "task", r.Header.Get(taskNameHeader))
		w.WriteHeader(http.StatusOK)
	}
	return t, err == nil
}

// Sweep serves POST /tasks/sweep. It answers with what the sweep did. A step
// that failed is logged, and the next sweep repeats it. If no next sweep could
// be asked for, the answer makes this one come again. A sweep that does not come
// from a queue is the daily one of Cloud Scheduler.
func (h *Tasks) Sweep(w http.ResponseWriter, r *http.Request) {
	mend := h.Sweeper.Sweep
	if r.Header.Get(taskNameHeader) == "" {
		mend = h.Sweeper.SweepDaily
	}
	swept, err := mend(r.Context())
	if err != nil {
		h.Log.ErrorContext(r.Context(), "sweep met trouble", "error", err)
	}
	if errors.Is(err, sweep.ErrNoNextSweep) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, swept)
}

// follow returns a context that has the values of one context and ends with
// another.
func follow(values, end context.Context) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(values))
	stop := context.AfterFunc(end, func() { cancel(context.Cause(end)) })
	return ctx, func() {
		stop()
		cancel(context.Canceled)
	}
}

func decodeTask(body io.Reader) (job.Task, error) {
	var b enqueue.Body
	dec := json.NewDecoder(body)
	if err := dec.Decode(&b); err != nil {
		return job.Task{}, fmt.Errorf("body: %w", err)
	}
	if _, err := uuid.Parse(b.JobID); err != nil {
		return job.Task{}, fmt.Errorf("body: job_id: %w", err)
	}
	if b.Index < 0 || b.Index >= job.MaxCount || b.Dispatch < 1 {
		return job.Task{}, fmt.Errorf("body: index %d or dispatch %d is out of range", b.Index, b.Dispatch)
	}
	return b.Task(), nil
}
