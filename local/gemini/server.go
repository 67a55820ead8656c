// Package gemini stands in for Gemini's image generation on the wire, for
// development and tests. It draws real pictures, enforces a real limit of
// requests a minute, and can give every answer that the real service is known
// to give.
//
// It serves POST /v1beta/models/{model}:generateContent and GET
// /v1beta/models/{model}, as the SDK calls them, and GET /stats, which answers
// Stats as JSON.
package gemini

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxRequest is the largest request that the real service takes inline, in
// bytes.
const maxRequest = 100 << 20

// Options configure a Server. With the zero value it answers at once, without a
// limit.
type Options struct {
	RPM        int           // requests that a key may send to a model in any 60 s; 0 is no limit
	MinLatency time.Duration // a picture takes from MinLatency to MaxLatency
	MaxLatency time.Duration
	Keys       []string         // API keys that are accepted; nil is any
	Models     []string         // models that a client may look at; nil is any
	Now        func() time.Time // the limit's clock; nil is time.Now
	Seed       uint64           // of latencies, and of pictures asked for without a seed
	// PictureBytes is the size that pictures are padded to, because real ones
	// hold more detail than drawn ones: about 1.5 MB at 1K. 0 means no padding.
	PictureBytes int
	// Small pictures are drawn as if 512 was asked for. They cost as many tokens as
	// what was asked for, and a quarter of the CPU of 1K.
	Small bool
}

// A Server stands in for the Gemini API. It is safe for concurrent use.
type Server struct {
	opts    Options
	mux     *http.ServeMux
	painter *painter

	mu     sync.Mutex // guards what follows
	rand   *rand.Rand
	limits map[string]*window // by key and model
	next   []Fault
	script func(Request) Fault
	seen   map[string]int // requests by prompt, for markers that count
	stats  Stats
}

// New returns a server that is ready to serve.
func New(opts Options) (*Server, error) {
	p, err := newPainter()
	if err != nil {
		return nil, err
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Server{
		opts:    opts,
		mux:     http.NewServeMux(),
		painter: p,
		rand:    rand.New(rand.NewPCG(opts.Seed, 1)),
		limits:  map[string]*window{},
		seen:    map[string]int{},
	}
	s.mux.HandleFunc("POST /v1beta/models/{call}", s.generateContent)
	s.mux.HandleFunc("GET /v1beta/models/{model}", s.getModel)
	s.mux.HandleFunc("GET /stats", s.serveStats)
	return s, nil
}

// ServeHTTP serves the API and the statistics.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Next makes each of the next requests meet one of the faults. They go before
// any script or marker. Ok is an ordinary answer.
func (s *Server) Next(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = append(s.next, faults...)
}

// Script makes script choose each request's fault. Where it returns Ok, the
// prompt's marker decides. It is called under a lock, for one request at a
// time. Mix returns a script with random faults.
func (s *Server) Script(script func(Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// generateContent serves one request. Like the real quota, it counts the
// request on arrival, before anything can go wrong with it.
func (s *Server) generateContent(w http.ResponseWriter, r *http.Request) {
	model, ok := strings.CutSuffix(r.PathValue("call"), ":generateContent")
	if !ok {
		errorReply(http.StatusNotFound, "NOT_FOUND", "This stand-in serves generateContent only.").send(w)
		return
	}
	key := r.Header.Get("X-Goog-Api-Key")
	wait := s.arrive(key, model)
	rec := &recorder{ResponseWriter: w}
	defer func() { s.leave(rec.status()) }()

	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		Fault("413").write(rec, r, Request{Model: model})
		return
	case err != nil:
		return // the client is gone
	case !s.accepts(key):
		badKey(key).write(rec, r, Request{Model: model})
		return
	case wait > 0:
		tooMany(s.opts.RPM, model, wait).send(rec)
		return
	}
	req, err := parseRequest(key, model, body)
	if err != nil {
		invalidArgument(err.Error()).send(rec)
		return
	}
	s.answer(rec, r, req)
}

// answer answers a request that the limits let through.
func (s *Server) answer(w *recorder, r *http.Request, req Request) {
	fault, latency, seed := s.plan(req)
	if fault.thinks() && !sleep(r.Context(), latency) {
		return
	}
	if fault.draws() {
		s.draw(w, req, fault, seed)
		return
	}
	fault.write(w, r, req)
}

// plan decides what happens to req: its fault, how long a picture takes, and
// the seed of the picture if req has none.
func (s *Server) plan(req Request) (Fault, time.Duration, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fault := s.takeFault(req)
	if fault != Ok {
		s.stats.countFault(fault)
	}
	latency := s.opts.MinLatency
	if spread := s.opts.MaxLatency - s.opts.MinLatency; spread > 0 {
		latency += time.Duration(s.rand.Int64N(int64(spread)))
	}
	return fault, latency, s.rand.Uint64()
}

// takeFault returns the fault of the next request. It takes the first queued
// one; without one it asks the script, and then the prompt's marker.
func (s *Server) takeFault(req Request) Fault {
	if len(s.next) > 0 {
		fault := s.next[0]
		s.next = s.next[1:]
		return fault
	}
	if s.script != nil {
		if fault := s.script(req); fault != Ok {
			return fault
		}
	}
	fault, times := marker(req.Prompt)
	if fault == Ok || times == 0 {
		return fault
	}
	if s.seen[req.Prompt]++; s.seen[req.Prompt] > times {
		return Ok
	}
	return fault
}

func (s *Server) accepts(key string) bool {
	return key != "" && (s.opts.Keys == nil || slices.Contains(s.opts.Keys, key))
}

// badKey returns the fault that a request with a refused key meets.
func badKey(key string) Fault {
	if key == "" {
		return "403-no-key"
	}
	return "400-key"
}

// sleep waits for d and reports whether it passed before the client hung up.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Server) serveStats(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(s.Stats()); err != nil {
		http.Error(w, fmt.Sprint(err), http.StatusInternalServerError)
	}
}
