// Package sqlite is the record on SQLite, for development: one file, no server
// and no cgo.
//
// Every write is one transaction that begins as a writer (BEGIN IMMEDIATE), so
// there is one at a time and what it reads does not change under it.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/ai-worker/ai-worker/status"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Memory is the path of a database that lives as long as its Store.
const Memory = ":memory:"

// settings are those of every connection. WAL with synchronous NORMAL survives
// the death of the process, and may lose the last writes to a power cut.
var settings = url.Values{
	"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)"},
	"_txlock": {"immediate"},
}

// Store is a status.Store in a file.
type Store struct {
	db  *sql.DB
	now func() time.Time
}

var _ status.Store = (*Store)(nil)

// An Option changes what Open returns.
type Option func(*Store)

// WithClock makes the store take the time from now.
func WithClock(now func() time.Time) Option {
	return func(s *Store) { s.now = now }
}

// Open opens the record in the file at path, or Memory. It makes the file with
// its directory where they are missing, and brings the schema up to date.
func Open(ctx context.Context, path string, options ...Option) (*Store, error) {
	source, err := sourceName(path)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(&connector{source: source})
	// One connection: callers in this process wait for each other in order
	// instead of polling a locked file, and Memory is the same for all.
	db.SetMaxOpenConns(1)
	if err := migrate(ctx, db); err != nil {
		db.Close()
		return nil, fmt.Errorf("sqlite: migrate %s: %w", path, err)
	}
	s := &Store{db: db, now: time.Now}
	for _, o := range options {
		o(s)
	}
	return s, nil
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

func sourceName(path string) (string, error) {
	if path == Memory {
		return "file::memory:?" + settings.Encode(), nil
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("sqlite: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(abs), 0o750); err != nil {
		return "", fmt.Errorf("sqlite: %w", err)
	}
	source := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: settings.Encode()}
	return source.String(), nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// write runs f in a transaction, which it commits unless f fails.
func (s *Store) write(ctx context.Context, f func(tx *sql.Tx) error) error {
	return s.transact(ctx, f, nil)
}

// view runs f in a transaction that only reads, and waits for no writer.
func (s *Store) view(ctx context.Context, f func(tx *sql.Tx) error) error {
	return s.transact(ctx, f, &sql.TxOptions{ReadOnly: true})
}

func (s *Store) transact(ctx context.Context, f func(tx *sql.Tx) error, options *sql.TxOptions) error {
	tx, err := s.db.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
