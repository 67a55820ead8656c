// Package emulator builds and runs the program cloud-tasks-emulator for tests.
package emulator

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	buildTimeout = 5 * time.Minute
	// Patience bounds the wait for something that must happen. The machine may be
	// busy with other tests.
	Patience = 2 * time.Minute
)

// build builds the program once in a run, into a directory that stays until the
// machine cleans its own.
var build = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "emulator-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "cloud-tasks-emulator")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/ai-worker/ai-worker/cmd/cloud-tasks-emulator").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the emulator: %w\n%s", err, out)
	}
	return path, nil
})

// Remove removes the program. TestMain calls it at the end.
func Remove() {
	if path, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
}

// A Process is a running emulator.
type Process struct {
	// Addr is the host and port where it listens.
	Addr string

	t    testing.TB
	cmd  *exec.Cmd
	out  output
	done chan struct{} // closed when it has ended
}

// Command returns a command of the program, not started.
func Command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return exec.CommandContext(t.Context(), path, args...)
}

// Start runs the program on any free port, unless args name one, and waits until
// it is ready.
func Start(t testing.TB, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, cmd: Command(t, append([]string{"--port", "0", "--host", "127.0.0.1"}, args...)...), done: make(chan struct{})}
	p.out.ready = make(chan string, 1)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.done) }()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("the emulator printed:\n%s", p.Output())
		}
	})
	select {
	case p.Addr = <-p.out.ready:
	case <-p.done:
		t.Fatalf("the emulator ended:\n%s", p.Output())
	case <-time.After(Patience):
		t.Fatalf("the emulator is not ready:\n%s", p.Output())
	}
	return p
}

// Output returns what the process has printed.
func (p *Process) Output() string {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	return p.out.text.String()
}

// Kill ends the process with SIGKILL, if it still runs.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Terminate asks the process to end.
func (p *Process) Terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

// Wait waits until the process has ended, and returns its exit code.
func (p *Process) Wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(Patience):
		p.t.Fatalf("the emulator does not end:\n%s", p.Output())
	}
	return p.cmd.ProcessState.ExitCode()
}

// WaitFor waits until the process has printed text.
func (p *Process) WaitFor(text string) {
	p.t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(Patience)
	for !strings.Contains(p.Output(), text) {
		select {
		case <-ticker.C:
		case <-deadline:
			p.t.Fatalf("the emulator does not print %q:\n%s", text, p.Output())
		}
	}
}

// output collects what the process prints, and finds the address in the line that
// says that it is ready.
type output struct {
	ready chan string

	mu    sync.Mutex
	text  strings.Builder
	found bool
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(b)
	if o.found {
		return len(b), nil
	}
	lines := bufio.NewScanner(strings.NewReader(o.text.String()))
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "ready at http://"); ok && strings.Contains(rest, " ") {
			o.found = true
			addr, _, _ := strings.Cut(rest, " ")
			o.ready <- addr
		}
	}
	return len(b), nil
}
