package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/ai-worker/ai-worker/cmd/internal/caller/client"
)

const (
	service = "https://images.test"
	bucket  = "https://bucket.test"
	apiKey  = "secret-0123456789"
)

// A wire hands requests to a handler without a network, so that a test's own clock
// counts. A handler that panics breaks the connection.
type wire struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, pipe := io.Pipe()
	a := &answer{header: http.Header{}, pipe: pipe, begun: make(chan int, 1), broken: make(chan struct{})}
	go a.serve(w.handler, r)
	context.AfterFunc(r.Context(), func() { pipe.CloseWithError(r.Context().Err()) })
	select {
	case status := <-a.begun:
		return &http.Response{StatusCode: status, Header: a.header, Body: body, Request: r, ProtoMajor: 1, ProtoMinor: 1}, nil
	case <-a.broken:
		return nil, errors.New("connection reset by peer")
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// An answer is what a handler writes to.
type answer struct {
	header http.Header
	pipe   *io.PipeWriter
	once   sync.Once
	begun  chan int
	broken chan struct{}
}

func (a *answer) serve(h http.Handler, r *http.Request) {
	defer func() {
		if recover() != nil {
			close(a.broken)
			a.pipe.CloseWithError(io.ErrUnexpectedEOF)
			return
		}
		a.WriteHeader(http.StatusOK)
		a.pipe.Close()
	}()
	h.ServeHTTP(a, r)
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) WriteHeader(status int) {
	a.once.Do(func() { a.begun <- status })
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.pipe.Write(p)
}

// A script answers each request with the next of its steps.
type script struct {
	t     *testing.T
	mu    sync.Mutex
	steps []http.HandlerFunc
	seen  []seen
}

// seen is what a request was.
type seen struct {
	call, key, lastID, prefer, etag, auth, body string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	h := r.Header
	s.mu.Lock()
	s.seen = append(s.seen, seen{
		r.Method + " " + r.URL.Path, h.Get("Idempotency-Key"), h.Get("Last-Event-ID"), h.Get("Prefer"), h.Get("If-None-Match"),
		h.Get("Authorization"), string(body),
	})
	n := len(s.seen)
	s.mu.Unlock()
	if n > len(s.steps) {
		s.t.Errorf("request %d is one too many: %s", n, r.URL)
		n = len(s.steps)
	}
	s.steps[n-1](w, r)
}

// calls returns one thing of each request.
func (s *script) calls(what func(seen) string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, one := range s.seen {
		all = append(all, what(one))
	}
	return all
}

// play returns a client of a service that answers by steps.
func play(t *testing.T, steps ...http.HandlerFunc) (*client.Client, *script) {
	t.Helper()
	s := &script{t: t, steps: steps}
	c, err := client.New(client.Config{URL: service, Key: apiKey, HTTP: wire{s}})
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

// say answers with a status, a body and headers.
func say(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for pair := range slices.Chunk(header, 2) {
			w.Header().Set(pair[0], pair[1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// breakOff breaks the connection, after some of a body if there is any.
func breakOff(body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if body != "" {
			say(http.StatusOK, body, header...)(w, r)
		}
		panic(http.ErrAbortHandler)
	}
}

// hang never answers.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
