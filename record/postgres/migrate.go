package postgres

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Files returns the files that say what Migrate makes of a database.
func Files() fs.FS { return migrationFiles }

// An instance that finds another one migrating looks again every second, for
// five minutes. The library's own five-second interval shows in every deploy.
const (
	lockRetrySeconds = 1
	lockRetries      = 300
)

// Migrate brings the database at url to the newest schema, and returns the
// names of the migrations it applied. It may run at the same time on several
// instances. It needs a direct connection and not a transaction pooler's: it
// takes a lock for the length of its session.
func Migrate(ctx context.Context, url string) ([]string, error) {
	cfg, err := pgxpool.ParseConfig(url) // as NewPool, so that one url with pool settings suits both
	if err != nil {
		return nil, ErrBadURL
	}
	db := stdlib.OpenDB(*cfg.ConnConfig)
	defer db.Close()
	provider, err := newMigrator(db)
	if err != nil {
		return nil, err
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return nil, fmt.Errorf("postgres: migrate: %w", err)
	}
	applied := make([]string, len(results))
	for i, r := range results {
		applied[i] = r.Source.Path
	}
	return applied, nil
}

func newMigrator(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, fmt.Errorf("postgres: embedded migrations: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockRetrySeconds, lockRetries))
	if err != nil {
		return nil, fmt.Errorf("postgres: migration lock: %w", err)
	}
	return goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker))
}
