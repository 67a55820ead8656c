package caller_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ai-worker/ai-worker/cmd/internal/caller"
)

// A prompt that is awaited on standard input, and a picture that another program
// writes, may never come.
func TestInterruptedWhileItReads(t *testing.T) {
	s := newService(t)
	env := s.environment()
	typed, nobody := io.Pipe()
	defer nobody.Close()
	env.Stdin = typed
	s.signals <- os.Interrupt
	err := (&caller.Generate{Request: caller.Request{Prompt: "-"}}).Run(t.Context(), env)
	if caller.ExitCode(err) != caller.ExitInterrupted {
		t.Errorf("%v", err)
	}
}

// How many pictures there may be is the service's to refuse. Until then it is any
// number.
func TestManyPicturesAreNotLookedForOneByOne(t *testing.T) {
	s := newService(t)
	asked := 0
	s.HandleFunc("POST /api/generate-images", func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.WriteHeader(http.StatusUnprocessableEntity)
	})
	count := 1 << 40
	err := (&caller.Generate{
		Request: caller.Request{Prompt: "A fox", Count: &count},
		Keeping: caller.Keeping{Download: filepath.Join(t.TempDir(), "{index}.{ext}")},
	}).Run(t.Context(), s.environment())
	if asked != 1 || caller.ExitCode(err) != caller.ExitFailed {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

// An address may have a password for what stands before the service. Errors end up
// in logs.
func TestErrorsHaveNoPasswordOfTheAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it tries again for some seconds
		var stderr bytes.Buffer
		err := (&caller.Get{One: caller.One{ID: "j1"}}).Run(t.Context(), &caller.Environment{
			Stderr: &stderr, Signals: make(chan os.Signal),
			Getenv: func(name string) string {
				return map[string]string{"AI_WORKER_URL": "http://ann:hunter2@127.0.0.1:1"}[name]
			},
		})
		if err == nil || strings.Contains(err.Error()+stderr.String(), "hunter2") || !strings.Contains(err.Error(), "127.0.0.1:1") {
			t.Errorf("%v, stderr %q", err, &stderr)
		}
	})
}
