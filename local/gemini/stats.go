package gemini

import (
	"maps"
	"net/http"
	"strconv"
	"time"
)

// Stats is what a server has counted so far.
type Stats struct {
	Requests    int            `json:"requests"`      // on arrival, whatever became of them
	Refused     int            `json:"refused"`       // for being more than RPM
	Pictures    int            `json:"pictures"`      // answers with one, each of them billed
	ByStatus    map[string]int `json:"by_status"`     // "0" is a connection that ended without an answer
	Faults      map[Fault]int  `json:"faults"`        // made to order
	InFlight    int            `json:"in_flight"`     // now
	MaxInFlight int            `json:"max_in_flight"` // at once
	MaxInMinute int            `json:"max_in_60s"`    // in any 60 s, of one key to one model, refused ones included
}

// Stats returns a copy of the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.ByStatus = maps.Clone(stats.ByStatus)
	stats.Faults = maps.Clone(stats.Faults)
	return stats
}

func (s *Stats) countFault(f Fault) {
	if s.Faults == nil {
		s.Faults = map[Fault]int{}
	}
	s.Faults[f]++
}

// arrive counts a request and returns how much too early it came.
func (s *Server) arrive(key, model string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.limits[key+" "+model]
	if w == nil {
		w = &window{}
		s.limits[key+" "+model] = w
	}
	wait, inWindow := w.arrive(s.opts.Now(), s.opts.RPM)
	s.stats.Requests++
	if wait > 0 {
		s.stats.Refused++
	}
	s.stats.InFlight++
	s.stats.MaxInFlight = max(s.stats.MaxInFlight, s.stats.InFlight)
	s.stats.MaxInMinute = max(s.stats.MaxInMinute, inWindow)
	return wait
}

// leave counts the end of a request.
func (s *Server) leave(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stats.ByStatus == nil {
		s.stats.ByStatus = map[string]int{}
	}
	s.stats.ByStatus[strconv.Itoa(status)]++
	s.stats.InFlight--
}

// A recorder notes the status of an answer.
type recorder struct {
	http.ResponseWriter
	code int
}

// WriteHeader notes the status and passes it on.
func (r *recorder) WriteHeader(code int) {
	if r.code == 0 {
		r.code = code
	}
	r.ResponseWriter.WriteHeader(code)
}

// Write notes that the status is 200 unless it was set.
func (r *recorder) Write(p []byte) (int, error) {
	if r.code == 0 {
		r.code = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap returns the real writer, for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) status() int { return r.code }
