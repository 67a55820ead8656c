package handlers_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/sweep"
	"github.com/ai-worker/ai-worker/worker"
)

const jobID = "0199a5a0-0000-7000-8000-000000000000"

type delivererFunc func(context.Context, job.Task) (worker.Verdict, error)

func (f delivererFunc) Deliver(ctx context.Context, t job.Task) (worker.Verdict, error) {
	return f(ctx, t)
}

// deliver posts a body and returns the status that Cloud Tasks gets.
func deliver(t *testing.T, ctx, process context.Context, body string, d delivererFunc) int { //nolint:revive // t first, as everywhere
	t.Helper()
	h := &handlers.Tasks{Worker: d, Process: process, Log: slog.New(slog.DiscardHandler)}
	w := httptest.NewRecorder()
	h.Generate(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/tasks/generate", strings.NewReader(body)))
	return w.Code
}

func TestDeliveriesAreAnsweredByVerdict(t *testing.T) {
	for verdict, want := range map[worker.Verdict]int{
		worker.VerdictDone: 200, worker.VerdictAgain: 409, worker.VerdictUnavailable: 503,
	} {
		var got job.Task
		code := deliver(t, t.Context(), t.Context(), `{"job_id":"`+jobID+`","index":2,"dispatch":3}`,
			func(_ context.Context, task job.Task) (worker.Verdict, error) {
				got = task
				return verdict, errors.New("for the log")
			})
		if code != want {
			t.Errorf("verdict %d is answered %d, want %d", verdict, code, want)
		}
		if diff := cmp.Diff(job.Task{JobID: jobID, Index: 2, Dispatch: 3}, got); diff != "" {
			t.Errorf("task (-want +got):\n%s", diff)
		}
	}
}

// A second delivery of it could not be read either, so it must not come again.
func TestUnreadableDeliveriesAreDropped(t *testing.T) {
	for _, body := range []string{
		"", "nonsense", "[]", `{}`,
		`{"job_id":"x","index":0,"dispatch":1}`,
		`{"job_id":"` + jobID + `","index":-1,"dispatch":1}`,
		`{"job_id":"` + jobID + `","index":16,"dispatch":1}`,
		`{"job_id":"` + jobID + `","index":0,"dispatch":0}`,
		`{"job_id":"` + jobID + `","index":0,"dispatch":1` + strings.Repeat(" ", 5000) + `}`,
	} {
		code := deliver(t, t.Context(), t.Context(), body, func(context.Context, job.Task) (worker.Verdict, error) {
			t.Errorf("delivered %.60q", body)
			return worker.VerdictDone, nil
		})
		if code != http.StatusOK {
			t.Errorf("%.60q is answered %d, want 200", body, code)
		}
	}
}

func TestDeliveriesOutliveTheirRequestAndNotTheProcess(t *testing.T) {
	request, hangUp := context.WithCancel(t.Context())
	process, shutDown := context.WithCancelCause(t.Context())
	deliver(t, request, process, `{"job_id":"`+jobID+`","index":0,"dispatch":1}`,
		func(ctx context.Context, _ job.Task) (worker.Verdict, error) {
			hangUp()
			if err := ctx.Err(); err != nil {
				t.Errorf("ended with the request: %v", err)
			}
			shutDown(worker.ErrShutdown)
			<-ctx.Done()
			if err := context.Cause(ctx); !errors.Is(err, worker.ErrShutdown) {
				t.Errorf("ended with %v, want ErrShutdown", err)
			}
			return worker.VerdictDone, nil
		})
}

func FuzzDelivery(f *testing.F) {
	f.Add(`{"job_id":"` + jobID + `","index":0,"dispatch":1}`)
	f.Add(`{"job_id":null}`)
	f.Fuzz(func(t *testing.T, body string) {
		code := deliver(t, t.Context(), t.Context(), body, func(_ context.Context, task job.Task) (worker.Verdict, error) {
			if task.Index < 0 || task.Index >= job.MaxCount || task.Dispatch < 1 || len(task.JobID) > 45 {
				t.Errorf("let through: %+v", task)
			}
			return worker.VerdictDone, nil
		})
		if code != http.StatusOK {
			t.Errorf("answered %d", code)
		}
	})
}

type sweepFunc func() (sweep.Swept, error)

func (f sweepFunc) Sweep(context.Context) (sweep.Swept, error) { return f() }

func (f sweepFunc) SweepDaily(context.Context) (sweep.Swept, error) {
	swept, err := f()
	swept.Orphans = 7
	return swept, err
}

// What comes from a queue comes every ten minutes while there is work.
func TestOnlySweepsFromElsewhereAreDaily(t *testing.T) {
	for name, tt := range map[string]struct {
		header string
		want   string
	}{
		"Cloud Tasks":     {"X-CloudTasks-TaskName", `"orphans":0`},
		"Cloud Scheduler": {"X-CloudScheduler-JobName", `"orphans":7`},
	} {
		h := &handlers.Tasks{Sweeper: sweepFunc(func() (sweep.Swept, error) { return sweep.Swept{}, nil })}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/tasks/sweep", http.NoBody)
		r.Header.Set(tt.header, "sweep-1")
		w := httptest.NewRecorder()
		h.Sweep(w, r)
		if !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("a sweep by %s answers %s, want %s in it", name, w.Body, tt.want)
		}
	}
}

// A sweep after which no other would come must come again.
func TestSweepIsRepeatedOnlyIfItIsTheLast(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, http.StatusOK},
		{errors.New("a step failed"), http.StatusOK},
		{errors.Join(errors.New("a step failed"), sweep.ErrNoNextSweep), http.StatusServiceUnavailable},
	} {
		h := &handlers.Tasks{
			Sweeper: sweepFunc(func() (sweep.Swept, error) { return sweep.Swept{Sent: 1}, tt.err }),
			Log:     slog.New(slog.DiscardHandler),
		}
		w := httptest.NewRecorder()
		h.Sweep(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/tasks/sweep", http.NoBody))
		if w.Code != tt.want {
			t.Errorf("after %v: answered %d, want %d", tt.err, w.Code, tt.want)
		}
	}
}
