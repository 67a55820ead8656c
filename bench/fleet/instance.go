// Package fleet runs instances of a built program behind one address, as Cloud
// Run does. So a benchmark or a test can watch several instances share the
// work, and can kill them.
package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sync"
	"syscall"
)

// servingMessage is the message that a program logs, with its address, once it
// serves.
const servingMessage = "serving"

// Build builds a command of this module into dir, and returns its path.
func Build(ctx context.Context, dir, pkg string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "build", "-o", dir+"/", pkg).CombinedOutput() //nolint:gosec // its callers name packages of this module
	if err != nil {
		return "", fmt.Errorf("fleet: build %s: %w\n%s", pkg, err, out)
	}
	return filepath.Join(dir, path.Base(pkg)), nil
}

// A Program says how to start an instance.
type Program struct {
	Path string
	Args []string
	Env  []string  // the whole environment, except PORT
	Log  io.Writer // gets what the instance prints; nil drops it
}

// An Instance is a running program that serves.
type Instance struct {
	cmd    *exec.Cmd
	addr   string
	exited chan struct{}
	err    error // of the exit; set when exited is closed
}

// Start starts an instance on a port of its own and returns once it serves. If
// ctx ends before that, it kills the instance.
func Start(ctx context.Context, p Program) (*Instance, error) {
	log := &firstAddress{to: p.Log, found: make(chan string, 1)}
	i := &Instance{exited: make(chan struct{})}
	i.cmd = exec.Command(p.Path, p.Args...) //nolint:gosec,noctx // what Build built; it outlives ctx
	i.cmd.Dir = os.TempDir()
	i.cmd.Env = append([]string{"PORT=0"}, p.Env...)
	i.cmd.Stdout, i.cmd.Stderr = log, log
	if err := i.cmd.Start(); err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	go func() {
		i.err = i.cmd.Wait()
		close(i.exited)
	}()
	select {
	case i.addr = <-log.found:
		return i, nil
	case <-i.exited:
		return nil, fmt.Errorf("fleet: %s ended before it served: %w; it printed:\n%s", p.Path, i.err, log.text())
	case <-ctx.Done():
		i.Kill()
		return nil, fmt.Errorf("fleet: %s does not serve: %w", p.Path, context.Cause(ctx))
	}
}

// Kill ends the instance as a crash does, and waits until it is gone.
func (i *Instance) Kill() {
	_ = i.cmd.Process.Kill() // it may be gone already
	<-i.exited
}

// Stop asks the instance to end, and waits until it has. If ctx ends before
// that, it kills the instance and fails. It also fails if the instance did not
// end in order.
func (i *Instance) Stop(ctx context.Context) error {
	if err := i.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("fleet: %w", err)
	}
	select {
	case <-i.exited:
		return i.err
	case <-ctx.Done():
		i.Kill()
		return fmt.Errorf("fleet: still running: %w", context.Cause(ctx))
	}
}

// PID returns the ID of the instance's process.
func (i *Instance) PID() int { return i.cmd.Process.Pid }

// Addr returns the address where the instance serves, as host:port.
func (i *Instance) Addr() string { return i.addr }

// firstAddress passes on what the program prints, and finds in it the address
// where the program serves.
type firstAddress struct {
	to    io.Writer
	found chan string

	mu   sync.Mutex
	head bytes.Buffer // what was printed so far, until the address is found
	done bool
}

// Write looks for the line that says where the program serves.
func (f *firstAddress) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.done {
		f.head.Write(p)
		for line := range bytes.Lines(f.head.Bytes()) {
			if addr := servingAddress(line); addr != "" {
				f.done = true
				f.found <- addr
				break
			}
		}
	}
	if f.to != nil {
		return f.to.Write(p)
	}
	return len(p), nil
}

func (f *firstAddress) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head.String()
}

// servingAddress returns the loopback address in a line of the log, or an empty
// string if there is none.
func servingAddress(line []byte) string {
	var entry struct {
		Message string `json:"message"`
		Address string `json:"address"`
	}
	if json.Unmarshal(line, &entry) != nil || entry.Message != servingMessage {
		return ""
	}
	_, port, err := net.SplitHostPort(entry.Address)
	if err != nil {
		return ""
	}
	return net.JoinHostPort("127.0.0.1", port)
}
