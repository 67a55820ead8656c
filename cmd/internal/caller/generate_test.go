package caller_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ai-worker/ai-worker/cmd/internal/caller"
)

// onePixel is a PNG picture.
const onePixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="

// A service is what a command talks to, in place of the real one.
type service struct {
	*http.ServeMux
	*httptest.Server

	signals        chan os.Signal
	stdout, stderr bytes.Buffer
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{ServeMux: http.NewServeMux(), signals: make(chan os.Signal, 1)}
	s.Server = httptest.NewServer(s.ServeMux)
	t.Cleanup(s.Close)
	return s
}

// environment returns what a command gets: no terminal, and an API key.
func (s *service) environment() *caller.Environment {
	settings := map[string]string{"AI_WORKER_URL": s.URL, "AI_WORKER_KEY": "secret-0123456789"}
	return &caller.Environment{
		Stdin: strings.NewReader("  A fox\non standard input\n"), Stdout: &s.stdout, Stderr: &s.stderr,
		Getenv: func(name string) string { return settings[name] }, Signals: s.signals,
	}
}

// Whoever interrupts a request that may have been accepted is told how to get its job
// without paying twice. What was uploaded has to be named by its id then: the body
// must be the same.
func TestInterruptedRequestCanBeRepeated(t *testing.T) {
	s := newService(t)
	s.HandleFunc("POST /api/uploads", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"id":"u-1","method":"PUT","url":"%s/bucket"}`, s.URL)
	})
	s.HandleFunc("PUT /bucket", func(http.ResponseWriter, *http.Request) {})
	key, body := "", ""
	s.HandleFunc("POST /api/generate-images", func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		key, body = r.Header.Get("Idempotency-Key"), string(text)
		s.signals <- os.Interrupt
		<-r.Context().Done()
	})
	file := filepath.Join(t.TempDir(), "fox.png")
	picture, err := base64.StdEncoding.DecodeString(onePixel)
	if err == nil {
		err = os.WriteFile(file, picture, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	err = (&caller.Generate{Request: caller.Request{Prompt: "-", Input: []string{file}}}).Run(t.Context(), s.environment())
	if caller.ExitCode(err) != caller.ExitInterrupted {
		t.Fatalf("%v", err)
	}
	s.CloseClientConnections()
	s.Close() // the handlers have ended
	if want := `{"prompt":"A fox\non standard input","input_images":["u-1"]}`; body != want {
		t.Errorf("sent %s, want %s", body, want)
	}
	if key == "" || !strings.Contains(err.Error(), "--idempotency-key "+key) || !strings.Contains(err.Error(), "--input u-1 in place of "+file) {
		t.Errorf("%v does not say how to repeat it", err)
	}
}

// A watch that fails after the job was accepted says how to go on.
func TestFailureAfterAcceptanceNamesTheJob(t *testing.T) {
	s := newService(t)
	const job = `{"id":"j-1","status":"queued","version":1,"images":[]}`
	s.HandleFunc("POST /api/generate-images", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, job) })
	s.HandleFunc("GET /api/jobs/j-1/events", func(http.ResponseWriter, *http.Request) { s.signals <- os.Interrupt })
	s.HandleFunc("GET /api/jobs/j-1", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	g := &caller.Generate{
		Request: caller.Request{Prompt: "A fox"}, Keeping: caller.Keeping{Download: "./out/{id}_{index}.{ext}"}, Connection: caller.Connection{URL: s.URL},
	}
	err := g.Run(t.Context(), s.environment())
	want := "ai-worker jobs watch j-1 --download './out/{id}_{index}.{ext}' --url " + s.URL
	if caller.ExitCode(err) != caller.ExitInterrupted || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v, want it to end with %s", err, want)
	}
	if s.stdout.Len() > 0 || !strings.Contains(s.stderr.String(), "job j-1") {
		t.Errorf("stdout %q, stderr %q", &s.stdout, &s.stderr)
	}
}

func TestKeyFile(t *testing.T) {
	s := newService(t)
	auth := ""
	s.HandleFunc("GET /api/jobs", func(w http.ResponseWriter, r *http.Request) {
		auth = r.Header.Get("Authorization")
		fmt.Fprint(w, `{"jobs":[]}`)
	})
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("another-0123456789\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for flag, want := range map[string]string{"": "Bearer secret-0123456789", file: "Bearer another-0123456789"} {
		err := (&caller.List{Limit: 1, Connection: caller.Connection{KeyFile: flag}}).Run(t.Context(), s.environment())
		if err != nil || auth != want {
			t.Errorf("%q: %q, %v", flag, auth, err)
		}
	}
	err := (&caller.List{Limit: 1, Connection: caller.Connection{KeyFile: file + "x"}}).Run(t.Context(), s.environment())
	if caller.ExitCode(err) != caller.ExitUsage {
		t.Errorf("a file that is not there: %v", err)
	}
}
