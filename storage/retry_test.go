package storage_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/local/s3"
	"github.com/ai-worker/ai-worker/storage"
)

// A picture is stored despite one fault, and only once.
func TestPutOutlivesAFault(t *testing.T) {
	tests := map[string]struct {
		fault s3.Fault
		want  string // requests
	}{
		"429 of writes":      {s3.Fault{Status: 429, Code: "TooManyRequests"}, "PUT PUT"},
		"429 of bandwidth":   {s3.Fault{Status: 429, Code: "ServiceUnavailable"}, "PUT PUT"},
		"429 without a body": {s3.Fault{Status: 429}, "PUT PUT"},
		"500":                {s3.Fault{Status: 500, Code: "InternalError"}, "PUT PUT"},
		"503":                {s3.Fault{Status: 503, Code: "SlowDown"}, "PUT PUT"},
		"two writers met":    {s3.Fault{Status: 409, Code: "ConditionalRequestConflict"}, "PUT PUT"},
		"connection cut":     {s3.Fault{Cut: true}, "PUT PUT"},
		"stored, then 500":   {s3.Fault{Status: 500, Done: true}, "PUT PUT HEAD"},
		"stored, then cut":   {s3.Fault{Cut: true, Done: true}, "PUT PUT HEAD"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			srv, r2 := setup(t)
			var requests []string // one after the other: the client waits for each
			srv.Fail(func(r *http.Request) s3.Fault {
				if requests = append(requests, r.Method); len(requests) == 1 {
					return test.fault
				}
				return s3.Fault{}
			})
			pic := picture("a", 100_000)
			obj, err := r2.Put(t.Context(), "x", 0, pic)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(pic.Object("images/x/0"), obj); diff != "" {
				t.Errorf("object (-want +got):\n%s", diff)
			}
			if got := strings.Join(requests, " "); got != test.want {
				t.Errorf("requests %s, want %s", got, test.want)
			}
		})
	}
}

func TestPutGivesUpAfterThreeAttempts(t *testing.T) {
	srv, r2 := setup(t)
	var attempts atomic.Int64
	srv.Fail(func(*http.Request) s3.Fault {
		attempts.Add(1)
		return s3.Fault{Status: 503, Code: "ServiceUnavailable"}
	})
	_, err := r2.Put(t.Context(), "x", 0, picture("a", 10))
	if err == nil || attempts.Load() != 3 {
		t.Errorf("%d attempts, error %v", attempts.Load(), err)
	}
	if errors.Is(err, storage.ErrDenied) || errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a passing fault is taken for a lasting one: %v", err)
	}
}

// silent returns a handler that answers the first request only after its client
// has gone, and the others at once.
func silent() http.HandlerFunc {
	var requests atomic.Int64
	return func(_ http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			r.Body.Read(make([]byte, 1<<10)) // net/http notices a client's end once the body is read
			<-r.Context().Done()
		}
	}
}

func TestASilentServerCostsOneAttempt(t *testing.T) {
	// On a slow machine the attempts that are answered may take that long too.
	for timeout := 300 * time.Millisecond; ; timeout *= 2 {
		err := putSilently(t, timeout)
		if err == nil {
			return
		}
		if timeout > 4*time.Second {
			t.Fatal(err)
		}
	}
}

// putSilently stores a picture on a server whose first answer never comes.
func putSilently(t *testing.T, timeout time.Duration) error {
	t.Helper()
	srv := httptest.NewServer(silent())
	defer srv.Close()
	cfg := config(srv.URL)
	cfg.AttemptTimeout = timeout
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // less than any other limit
	defer cancel()
	_, err := storage.NewR2(cfg).Put(ctx, "x", 0, picture("a", 10))
	return err
}

func TestPutEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r2 := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		r.Body.Read(make([]byte, 1<<10))
		cancel()
		<-r.Context().Done()
	})
	_, err := r2.Put(ctx, "x", 0, picture("a", 10))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

// net/http turns a redirected PUT into a GET, whose 200 would look like success.
func TestPutIsNotRedirected(t *testing.T) {
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect} {
		var requests atomic.Int64
		r2 := answering(t, func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			if r.URL.Path != "/elsewhere" {
				http.Redirect(w, r, "/elsewhere", status)
			}
		})
		if _, err := r2.Put(t.Context(), "x", 0, picture("a", 10)); err == nil || requests.Load() != 1 {
			t.Errorf("%d: %d requests, error %v", status, requests.Load(), err)
		}
	}
}
