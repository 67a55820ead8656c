package server_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/server"
)

// A recorder is an answer whose writes may have a deadline, as those of a stream
// must.
type recorder struct{ *httptest.ResponseRecorder }

func (recorder) SetWriteDeadline(time.Time) error { return nil }

// get sends a request that reads a job, and returns its answer.
func (s *streaming) get(ctx context.Context, path, key, prefer string) recorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, path, http.NoBody)
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Prefer", prefer)
	w := recorder{httptest.NewRecorder()}
	s.handler.ServeHTTP(w, r)
	return w
}

// One tenant cannot have all requests that an instance takes held open: past a
// bound its streams are refused, and its waits are over at once.
func TestATenantHoldsSomeRequestsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, end := newStreaming(t, "a fox")
		defer func() { end(); time.Sleep(time.Minute) }() // till Redis is given up
		s.left = make(chan time.Time, 1000)
		others, _, err := s.record.Create(t.Context(), record.Draft{
			ID: uuid.Must(uuid.NewV7()).String(), Tenant: "other", Weight: 1, Priority: job.PriorityNormal, ExpiresIn: time.Hour,
			Lanes: []string{"a"}, Input: job.Input{Prompt: "a", Model: "m", Count: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, hangUp := context.WithCancel(t.Context())
		for range 200 {
			go s.get(ctx, s.path(), "key", "")
		}
		synctest.Wait()
		from := time.Now()
		if w := s.get(t.Context(), s.path(), "key", ""); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "10" {
			t.Errorf("one more stream: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
		w := s.get(t.Context(), "/api/jobs/"+s.job.ID, "key", "wait=60")
		if applied := w.Header().Get("Preference-Applied"); w.Code != http.StatusOK || applied != "" || !time.Now().Equal(from) {
			t.Errorf("one more wait: %d after %s, Preference-Applied %q", w.Code, time.Since(from), applied)
		}
		w = s.get(t.Context(), "/api/jobs/"+others.ID, "other-key", "wait=1")
		if applied := w.Header().Get("Preference-Applied"); w.Code != http.StatusOK || applied != "wait=1" {
			t.Errorf("another tenant's wait: %d, Preference-Applied %q", w.Code, applied)
		}
		hangUp()
		synctest.Wait()
		w = s.get(t.Context(), "/api/jobs/"+s.job.ID, "key", "wait=1")
		if applied := w.Header().Get("Preference-Applied"); applied != "wait=1" {
			t.Errorf("a wait after the streams: Preference-Applied %q", applied)
		}
	})
}

// Where there is no other tenant, the instance's own bound is the only one.
func TestATenantAloneHoldsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, end := newStreaming(t, "a fox")
		defer func() { end(); time.Sleep(time.Minute) }() // till Redis is given up
		cfg := server.Config{
			Log:  slog.New(slog.DiscardHandler),
			Jobs: &handlers.Jobs{Snapshots: s.record, Record: s.record, Draining: s.ctx, Log: slog.New(slog.DiscardHandler)},
		}
		cfg.Keys.Add("web", "key", 1)
		cfg.Keys.Add("web", "next-key", 1)
		s.handler = server.New(cfg)
		ctx, hangUp := context.WithCancel(t.Context())
		for range 250 {
			go s.get(ctx, s.path(), "key", "")
		}
		synctest.Wait()
		w := s.get(t.Context(), "/api/jobs/"+s.job.ID, "next-key", "wait=1")
		if applied := w.Header().Get("Preference-Applied"); applied != "wait=1" {
			t.Errorf("answered %d, Preference-Applied %q", w.Code, applied)
		}
		hangUp()
		synctest.Wait()
	})
}
