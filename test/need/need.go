// Package need is the one rule for tests that need what a machine may not
// have: on a laptop they are skipped, in CI they fail.
package need

import (
	"fmt"
	"os"
	"runtime"
	"testing"
)

// Missing ends t, because what it needs is not there.
func Missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// Ended is how a test ended: what it was skipped or failed with, if it was.
type Ended struct {
	Skipped, Failed string
}

// Try runs test as one of its own, whose end is not t's.
func Try(t testing.TB, test func(testing.TB)) Ended {
	t.Helper()
	f := &fake{TB: t}
	done := make(chan struct{})
	go func() { // what ends a test ends its goroutine
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
