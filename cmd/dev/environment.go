package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/ai-worker/ai-worker/config"
	"github.com/ai-worker/ai-worker/local/journal"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/server"
)

// environment is the set of services that the service runs against: the real
// ones where their settings are present, embedded ones elsewhere.
type environment struct {
	dir  string         // where the embedded services keep their state
	host string         // where this process and the emulator listen: DEV_HOST
	base string         // address of this process
	mux  *http.ServeMux // of this process: routes of the service and of embedded ones
	log  *slog.Logger

	rows   []row
	secret string // that signs webhooks, if this process made it
	closes []func() error
}

// A row is one service of the table that is printed.
type row struct {
	service      config.Service
	kind, detail string
}

const (
	kindEmbedded = "embedded"
	kindReal     = "real"
)

// fillIn starts a substitute for every service whose settings are absent, and
// points the settings to it. It returns the record.
func (e *environment) fillIn(ctx context.Context, cfg *config.Config) (record.Record, error) {
	if err := os.MkdirAll(e.dir, 0o750); err != nil {
		return nil, fmt.Errorf("directory for jobs and pictures: %w", err)
	}
	rec, err := e.openRecord(ctx, cfg)
	if err != nil {
		return nil, err
	}
	for _, start := range []func() error{
		func() error { return e.fillInRedis(cfg) },
		func() error { return e.fillInGemini(ctx, cfg) },
		func() error { return e.fillInPictures(cfg) },
		func() error { return e.fillInQueue(ctx, cfg) },
		func() error { return e.fillInWebhooks(cfg) },
	} {
		if err := start(); err != nil {
			return nil, err
		}
	}
	return rec, nil
}

// openRecord opens the real Postgres, and migrates it, or a record in memory with a
// journal.
func (e *environment) openRecord(ctx context.Context, cfg *config.Config) (record.Record, error) {
	if url := cfg.DatabaseURL.Reveal(); url != "" {
		if _, err := postgres.Migrate(ctx, url); err != nil {
			return nil, fmt.Errorf("DATABASE_URL: %w", err)
		}
		pool, err := postgres.NewPool(ctx, url)
		if err != nil {
			return nil, err
		}
		e.onClose(func() error { pool.Close(); return nil })
		e.add(config.ServicePostgres, kindReal, "DATABASE_URL")
		return postgres.New(pool), nil
	}
	dir := filepath.Join(e.dir, "record")
	rec, err := memory.Open(dir)
	if errors.Is(err, journal.ErrInUse) {
		return nil, fmt.Errorf("another `make dev` runs in this folder; end it first: %w", err)
	}
	if err != nil {
		return nil, err
	}
	e.onClose(rec.Close)
	e.add(config.ServicePostgres, kindEmbedded, "in memory, with a journal in "+dir)
	return rec, nil
}

func (e *environment) add(service config.Service, kind, detail string) {
	e.rows = append(e.rows, row{service: service, kind: kind, detail: detail})
}

// onClose adds closeIt to what close calls. The latest is called first.
func (e *environment) onClose(closeIt func() error) { e.closes = append(e.closes, closeIt) }

func (e *environment) close() error {
	var errs []error
	for _, closeIt := range slices.Backward(e.closes) {
		errs = append(errs, closeIt())
	}
	return errors.Join(errs...)
}

// report prints what runs where, and what to try first, at once: nothing that is
// logged meanwhile comes in between, and whoever waits for the address has the rest.
func (e *environment) report(out io.Writer, cfg config.Config) {
	w := &bytes.Buffer{}
	defer func() { _, _ = w.WriteTo(out) }() // there is nobody to tell
	fmt.Fprintf(w, "\nai-worker is ready at %s\n\n", e.base)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range e.rows {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", r.service, r.kind, r.detail)
	}
	_ = table.Flush()
	auth := ""
	if len(cfg.APIKeys) > 0 {
		auth = "  -H 'Authorization: Bearer KEY' \\\n"
	}
	fmt.Fprintf(w, `
Ask for a picture, and wait for it:

  curl -s %s/api/generate-images \
%s  -H 'Content-Type: application/json' -H 'Prefer: wait=30' \
  -d '{"prompt": "A lighthouse at dusk, watercolour"}'

`, e.base, auth)
	fmt.Fprintf(w, "The dashboard is at %s%s\n", e.base, server.DashboardPath)
	if e.secret != "" {
		fmt.Fprintf(w, "\nWebhooks reach localhost too. Until the next start they are signed with\n  WEBHOOK_SECRET=%s\n", e.secret)
	}
}
