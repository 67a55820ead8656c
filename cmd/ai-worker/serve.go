package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/ai-worker/ai-worker/cmd/internal/service"
	"github.com/ai-worker/ai-worker/config"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/server"
)

// serve runs the service until ctx ends.
func serve(ctx context.Context, getenv func(string) string, stderr io.Writer) (err error) {
	cfg, err := config.Load(getenv)
	if err != nil {
		return err
	}
	log := server.NewLogger(stderr, cfg.LogLevel, project(cfg.Tasks.Queue))
	pool, err := postgres.NewPool(ctx, cfg.DatabaseURL.Reveal())
	if err != nil {
		return err
	}
	defer pool.Close()
	svc, err := service.New(ctx, cfg, postgres.New(pool), version, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, svc.Close()) }()
	ln, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(cfg.Port)))
	if err != nil {
		return fmt.Errorf("PORT: %w", err)
	}
	log.InfoContext(ctx, "serving", "address", ln.Addr().String(), "role", cfg.Role, "version", version,
		"lanes", len(cfg.Lanes))
	return svc.Run(ctx, ln, svc.Handler())
}

// project returns the Google Cloud project that a queue's full name begins
// with.
func project(queue string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(queue, "projects/"), "/")
	return name
}

// migrate brings the database to the newest schema.
func migrate(ctx context.Context, getenv func(string) string, stdout io.Writer) error {
	url := strings.TrimSpace(getenv("DATABASE_URL"))
	if url == "" {
		return errors.New("DATABASE_URL is missing: the connection string of a Postgres database, " +
			"a direct one and not a transaction pooler's")
	}
	applied, err := postgres.Migrate(ctx, url)
	if err != nil {
		return err
	}
	for _, name := range applied {
		fmt.Fprintln(stdout, "applied", name)
	}
	if len(applied) == 0 {
		fmt.Fprintln(stdout, "the schema is up to date")
	}
	return nil
}
