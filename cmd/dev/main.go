// Command dev runs the whole service on one machine, without any account. Every
// service whose settings are absent runs embedded in this process.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/ai-worker/ai-worker/cmd/internal/service"
	"github.com/ai-worker/ai-worker/config"
)

// dataDir is where jobs, tasks and pictures are kept across restarts.
const dataDir = ".data"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends at once
	err := run(ctx, os.Getenv, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "dev: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, getenv func(string) string, stdout io.Writer) (err error) {
	cfg, err := config.LoadDev(getenv)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(cfg.Dev.Host, strconv.Itoa(cfg.Port)))
	if err != nil {
		return fmt.Errorf("PORT: %w; choose another one with PORT=8081", err)
	}
	log := slog.New(slog.NewTextHandler(stdout, &slog.HandlerOptions{Level: cfg.LogLevel}))
	env := &environment{dir: dataDir, host: cfg.Dev.Host, base: "http://localhost:" + port(ln), mux: http.NewServeMux(), log: log}
	defer func() { err = errors.Join(err, env.close()) }()
	if cfg.PublicURL == "" {
		cfg.PublicURL = env.base
	}
	cfg.Dashboard.Enabled = true
	cfg.Dev.Developer = len(cfg.Dashboard.Users) == 0 && cfg.Dashboard.Audience == ""
	record, err := env.fillIn(ctx, &cfg)
	if err != nil {
		return err
	}
	svc, err := service.New(ctx, cfg, record, "dev", log)
	if err != nil {
		return err
	}
	env.onClose(svc.Close)
	env.mux.Handle("/", svc.Handler())
	var handler http.Handler = env.mux
	if len(cfg.APIKeys) == 0 {
		handler = newGuard(cfg, handler)
	}
	env.report(stdout, cfg)
	go svc.Sweep(ctx)
	return svc.Run(ctx, ln, handler)
}

// port returns the port of a listener: the one asked for, or the one that was
// found if 0 was asked for.
func port(ln net.Listener) string {
	_, port, _ := net.SplitHostPort(ln.Addr().String()) // an address always has both
	return port
}
