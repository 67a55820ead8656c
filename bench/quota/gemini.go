package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"github.com/ai-worker/ai-worker/local/gemini"
)

// minute is the window of a quota. If one request is exactly that much older
// than another, both are not in one window.
const minute = time.Minute

// quotaGemini answers every request with the same picture. The picture is drawn
// beforehand, because drawing would take CPU from the service that is measured.
// The quota is exact: a request is refused if rpm others were admitted in the
// 60 s before it.
type quotaGemini struct {
	rpm                    int
	minLatency, maxLatency time.Duration
	answer                 []byte
	now                    func() time.Time

	mu       sync.Mutex
	arrived  []time.Time // all requests
	admitted []time.Time // those that were not refused
	answered []time.Time // pictures
}

func newQuotaGemini(rpm int, o options) (*quotaGemini, error) {
	answer, err := drawnAnswer(o.pictureBytes)
	if err != nil {
		return nil, err
	}
	return &quotaGemini{
		rpm: rpm, minLatency: o.minLatency, maxLatency: o.maxLatency, answer: answer, now: time.Now,
	}, nil
}

// drawnAnswer returns an answer of the stand-in for Gemini with a picture of at
// least size bytes.
func drawnAnswer(size int) ([]byte, error) {
	g, err := gemini.New(gemini.Options{PictureBytes: size, Seed: 1})
	if err != nil {
		return nil, err
	}
	req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/v1beta/models/m:generateContent",
		bytes.NewReader([]byte(`{"contents":[{"parts":[{"text":"quota"}]}]}`)))
	req.Header.Set("X-Goog-Api-Key", "k")
	rec := httptest.NewRecorder()
	g.ServeHTTP(rec, req)
	if rec.Code != http.StatusOK {
		return nil, fmt.Errorf("the picture could not be drawn: %d %s", rec.Code, rec.Body)
	}
	return rec.Body.Bytes(), nil
}

// ServeHTTP answers one request. The request counts from its arrival.
func (g *quotaGemini) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	wait := g.arrive()
	_, _ = io.Copy(io.Discard, r.Body) // a client that is gone shows below
	w.Header().Set("Content-Type", "application/json")
	if wait > 0 {
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprintf(w, refusal, g.rpm, wait.Seconds())
		return
	}
	latency := time.NewTimer(g.minLatency + rand.N(g.maxLatency-g.minLatency+1)) //nolint:gosec // no secret
	defer latency.Stop()
	select {
	case <-r.Context().Done():
		return
	case <-latency.C:
	}
	if _, err := w.Write(g.answer); err == nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.answered = append(g.answered, g.now())
	}
}

// refusal is the real service's answer to a request over the quota.
const refusal = `{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded your current quota.", "details": [
  {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{
    "quotaId": "GenerateRequestsPerMinutePerProjectPerModel", "quotaValue": "%d"}]},
  {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "%.9fs"}]}}`

// arrive counts a request. It returns how much too early the request comes, or
// 0 if it is within the quota. A refused request uses none of the quota; else a
// client that retries would never succeed.
func (g *quotaGemini) arrive() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	g.arrived = append(g.arrived, now)
	if n := len(g.admitted) - g.rpm; n >= 0 {
		if wait := g.admitted[n].Add(minute).Sub(now); wait > 0 {
			return wait
		}
	}
	g.admitted = append(g.admitted, now)
	return 0
}

// seen returns a copy of the times that the stand-in has noted so far.
func (g *quotaGemini) seen() (arrived, admitted, answered []time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.arrived), slices.Clone(g.admitted), slices.Clone(g.answered)
}
