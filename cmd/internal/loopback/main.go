// Command loopback is `ai-worker serve`, but its webhooks may go to this machine.
// It is for tests of whole deployments: the program that is shipped calls no
// receiver that is not public.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/ai-worker/ai-worker/cmd/internal/service"
	"github.com/ai-worker/ai-worker/config"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "loopback: %v\n", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context) (err error) {
	cfg, err := config.Load(os.Getenv)
	if err != nil {
		return err
	}
	cfg.Dev.Loopback = true
	log := server.NewLogger(os.Stderr, cfg.LogLevel, "p")
	pool, err := postgres.NewPool(ctx, cfg.DatabaseURL.Reveal())
	if err != nil {
		return err
	}
	defer pool.Close()
	svc, err := service.New(ctx, cfg, postgres.New(pool), "loopback", log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, svc.Close()) }()
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("", strconv.Itoa(cfg.Port)))
	if err != nil {
		return fmt.Errorf("PORT: %w", err)
	}
	log.InfoContext(ctx, "serving", "address", ln.Addr().String())
	return svc.Run(ctx, ln, svc.Handler())
}
