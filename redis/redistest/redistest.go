// Package redistest gives a test a real Redis server of its own, which the test
// may stop and start again. A start takes about ten milliseconds. It isolates
// tests where a shared server cannot: channels, scripts, memory, outages.
//
// It needs redis-server in PATH. Without it a test is skipped; in CI it fails.
package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/test/need"
)

const (
	// Ports are drawn from below those that the kernel gives to outgoing
	// connections. So a stopped server's port is still free when the server
	// starts again.
	firstPort, ports = 20_000, 10_000

	startTries   = 5
	startTimeout = 10 * time.Second
)

// Server is a Redis server that keeps nothing on disk. Its methods are for the
// test's own goroutine.
type Server struct {
	t       testing.TB
	program string
	dir     string
	port    int
	process *exec.Cmd // nil while stopped
}

// Start starts a server on a free port. It is stopped when t ends.
func Start(t testing.TB) *Server {
	t.Helper()

	program, err := exec.LookPath("redis-server")
	if err != nil {
		need.Missing(t, "needs Redis: `make test` says how to get redis-server")
	}

	s := &Server{t: t, program: program, dir: t.TempDir()}
	t.Cleanup(s.Stop)
	for range startTries {
		s.port = firstPort + rand.IntN(ports)
		if err = s.start(); err == nil {
			return s
		}
	}
	t.Fatalf("redistest: %v", err)
	return nil
}

// URL returns the server's address, which stays the same after a restart.
func (s *Server) URL() string { return "redis://" + s.Addr() + "/0" }

// Addr returns the server's address as host:port. It stays the same, too.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// Stop kills the server: connections break, new ones are refused, and all data
// is lost. It does nothing if the server is stopped already.
func (s *Server) Stop() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill()
	_ = s.process.Wait() // says that it was killed
	s.process = nil
}

// Restart stops the server if it runs, and starts it, empty, on the same port.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	if err := s.start(); err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
}

// start starts the server and returns when it accepts connections.
func (s *Server) start() error {
	process := exec.Command(s.program,
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", s.dir,
		"--daemonize", "no", "--logfile", "")
	out, err := process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := process.Start(); err != nil {
		return err
	}

	hung := time.AfterFunc(startTimeout, func() { _ = process.Process.Kill() })
	defer hung.Stop()

	if err := awaitReady(out); err != nil {
		_ = process.Process.Kill()
		_ = process.Wait()
		return fmt.Errorf("redis-server on port %d: %w", s.port, err)
	}
	go io.Copy(io.Discard, out) // keeps the server from blocking on a full pipe
	s.process = process
	return nil
}

// awaitReady reads the server's log up to the line that says that it is ready.
// So another server on the same port is not taken for this one.
func awaitReady(out io.Reader) error {
	var log strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			return nil
		}
		log.WriteString(lines.Text() + "\n")
	}
	return errors.New("ended before it was ready:\n" + log.String())
}
