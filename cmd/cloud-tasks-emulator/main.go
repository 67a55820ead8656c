// Command cloud-tasks-emulator runs an emulator of Google Cloud Tasks by itself, for
// programs in any language: gRPC and REST on one port.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"google.golang.org/grpc/status"

	"github.com/ai-worker/ai-worker/local/cloudtasks"
	"github.com/ai-worker/ai-worker/local/journal"
)

const (
	exitFailed = 1
	exitUsage  = 2

	// checkTimeout bounds --check.
	checkTimeout = 5 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run serves until ctx ends, and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, help)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "cloud-tasks-emulator: %v\nSee cloud-tasks-emulator --help.\n", err)
		return exitUsage
	case s.check:
		err = check(ctx, s)
	default:
		err = serve(ctx, s, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "cloud-tasks-emulator: %v\n", err)
		return exitFailed
	}
	return 0
}

// serve runs the emulator until ctx ends. Then it waits for the deliveries under
// way, for as long as the settings say.
func serve(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	lis, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(s.host, strconv.Itoa(s.port)))
	if err != nil {
		return fmt.Errorf("%w; choose another port with --port, 0 for any", err)
	}
	defer func() { _ = lis.Close() }() // Serve closes it, too
	level := slog.LevelInfo
	if s.verbose {
		level = slog.LevelDebug
	}
	s.options.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	emu, err := cloudtasks.New(s.options)
	if errors.Is(err, journal.ErrInUse) {
		return fmt.Errorf("--state-dir: another emulator uses %s; end it first: %w", s.options.StateDir, err)
	}
	if err != nil {
		return fmt.Errorf("--state-dir %s: %w", s.options.StateDir, err)
	}
	for _, q := range s.queues {
		if err := emu.EnsureQueue(ctx, q.queue); err != nil {
			return errors.Join(fmt.Errorf("%s: %s", q.source, status.Convert(err).Message()), emu.Close(ctx))
		}
	}
	served := make(chan error, 1)
	go func() { served <- emu.Serve(lis) }()
	fmt.Fprintln(stdout, ready(s, lis, len(emu.Queues())))
	select {
	case err := <-served:
		return errors.Join(err, emu.Close(ctx))
	case <-ctx.Done():
	}
	return shutDown(ctx, s, emu, stdout)
}

// ready returns the line that says that clients may come. Scripts wait for its
// first word.
func ready(s settings, lis net.Listener, queues int) string {
	_, port, _ := net.SplitHostPort(lis.Addr().String()) // an address always has both
	kept := "in memory"
	if s.options.StateDir != "" {
		kept = "kept in " + s.options.StateDir
	}
	return fmt.Sprintf("ready at http://%s (gRPC and REST); queues: %d; state: %s", net.JoinHostPort(s.host, port), queues, kept)
}

func shutDown(ctx context.Context, s settings, emu *cloudtasks.Emulator, stdout io.Writer) error {
	fmt.Fprintf(stdout, "stopping; waiting up to %s for the deliveries under way\n", s.grace)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
	defer cancel()
	err := emu.Close(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		fmt.Fprintln(stdout, "stopped; some deliveries were cut off")
		return nil
	}
	if err == nil {
		fmt.Fprintln(stdout, "stopped")
	}
	return err
}

// check asks a running emulator at the settings' address whether it answers.
func check(ctx context.Context, s settings) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	host := s.host
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, strconv.Itoa(s.port))+"/", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", req.URL, res.Status)
	}
	return nil
}
