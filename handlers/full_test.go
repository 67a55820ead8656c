package handlers_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/server"
)

// full is a producer that has no room.
type full struct{}

func (full) Submit(context.Context, enqueue.Submission) (job.Job, error) {
	return job.Job{}, &enqueue.FullError{
		TooManyWaitingError: &record.TooManyWaitingError{Waiting: 9_999, Most: 10_000}, RetryAfter: 1500 * time.Millisecond,
	}
}

func (f full) Quote(ctx context.Context, s enqueue.Submission) (enqueue.Quote, error) {
	_, err := f.Submit(ctx, s)
	return enqueue.Quote{}, err
}

func (f full) Retry(ctx context.Context, _ job.Job, _ enqueue.Retry) (job.Job, error) {
	return f.Submit(ctx, enqueue.Submission{})
}

func TestGenerateSaysWhenThereIsRoom(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	routes := server.New(server.Config{Log: log, Lanes: &handlers.Lanes{}, Jobs: &handlers.Jobs{
		Producer: full{}, Models: []job.Model{{Name: "m"}}, Log: log,
	}})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/generate-images", strings.NewReader(`{"prompt":"a","count":2}`))
	w := httptest.NewRecorder()
	routes.ServeHTTP(w, r)
	a := answer{code: w.Code, header: w.Header(), body: w.Body.String()}
	p := a.problem(t, http.StatusTooManyRequests)
	want := "9999 pictures of this API key wait, and at most 10000 may (MAX_WAITING_PICTURES): " +
		"there is no room for this request's. Send it again after 2 seconds, or cancel jobs."
	if got := a.header.Get("Retry-After"); got != "2" || p.Detail != want {
		t.Errorf("Retry-After %q and %q, want 2 and %q", got, p.Detail, want)
	}
}
