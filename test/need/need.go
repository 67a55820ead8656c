// Package need has the one rule for tests that need something that a machine
// may not have: they are skipped on a laptop and fail in CI.
package need

import (
	"fmt"
	"os"
	"runtime"
	"testing"
)

// Missing ends t, because something that it needs is missing. It skips t, or
// fails it if CI is set.
func Missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// Ended says how a test ended: the reason why it was skipped or failed, if it
// was.
type Ended struct {
	Skipped, Failed string
}

// Try runs test as a test of its own. If that is skipped or fails, t goes on.
func Try(t testing.TB, test func(testing.TB)) Ended {
	t.Helper()
	f := &fake{TB: t}
	done := make(chan struct{})
	go func() { // Skip and Fatal end the goroutine that calls them
		defer close(done)
		test(f)
	}()
	<-done
	return f.ended
}

type fake struct {
	testing.TB

	ended Ended
}

func (f *fake) Skip(args ...any) {
	f.ended.Skipped = fmt.Sprint(args...)
	runtime.Goexit()
}

func (f *fake) Fatal(args ...any) {
	f.ended.Failed = fmt.Sprint(args...)
	runtime.Goexit()
}

func (f *fake) Fatalf(format string, args ...any) { f.Fatal(fmt.Sprintf(format, args...)) }
