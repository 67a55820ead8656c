package s3

import (
	"fmt"
	"io"
	"net/http"
)

// A Fault is what to do to one request instead of answering it properly. The
// zero Fault changes nothing.
type Fault struct {
	Status int    // answer with this status; 0 leaves the request alone, unless Cut is set
	Code   string // S3's name for the error, such as "TooManyRequests"; empty sends no body
	Cut    bool   // close the connection instead of answering
	// Done carries out the operation before the fault, as when an answer was
	// lost on its way.
	Done bool
}

// Fail makes decide choose a fault for every request from now on. decide is
// called from many goroutines at once. nil ends the faults.
func (s *Server) Fail(decide func(*http.Request) Fault) {
	if decide == nil {
		s.decide.Store(nil)
		return
	}
	s.decide.Store(&decide)
}

func (s *Server) withFaults(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var fault Fault
		if decide := s.decide.Load(); decide != nil {
			fault = (*decide)(r)
		}
		if fault.Status == 0 && !fault.Cut {
			next.ServeHTTP(w, r)
			return
		}
		if fault.Done {
			next.ServeHTTP(lostAnswer{header: http.Header{}}, r)
		}
		fault.answer(w)
	})
}

func (f Fault) answer(w http.ResponseWriter) {
	if f.Cut {
		panic(http.ErrAbortHandler) // net/http closes the connection and logs nothing
	}
	writeError(w, f.Status, f.Code, "injected fault")
}

// writeError answers as S3 does. An empty code sends no body.
func writeError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if code != "" {
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
	}
}

// lostAnswer is a ResponseWriter that keeps nothing.
type lostAnswer struct{ header http.Header }

func (l lostAnswer) Header() http.Header         { return l.header }
func (l lostAnswer) Write(p []byte) (int, error) { return io.Discard.Write(p) }
func (l lostAnswer) WriteHeader(int)             {}
