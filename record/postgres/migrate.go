package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// files are the migrations, and the statements: each stands whole in a file of
// its own, named after it, with arguments as @name.
//
//go:embed migrations/*.sql sql/*.sql
var files embed.FS

// Files returns the files that define what Migrate makes of a database.
func Files() fs.FS { return files }

// If another instance is migrating, an instance looks again every second, for
// five minutes. The library's own interval of five seconds would slow every
// deploy visibly.
const (
	lockRetrySeconds = 1
	lockRetries      = 300
)

// codeLockTimeout is the code of a migration that waited for a table for too
// long.
const codeLockTimeout = "55P03"

// Migrate brings the database at url to the newest schema, and returns the
// names of the migrations that it applied. Several instances may run it at the
// same time. It needs a direct connection and not a transaction pooler's,
// because it takes a lock for the length of its session; it fails with
// ErrPooler, and changes nothing, if url leads to one.
func Migrate(ctx context.Context, url string) ([]string, error) {
	cfg, err := pgxpool.ParseConfig(url) // as in NewPool, so that one url with pool settings suits both
	if err != nil {
		return nil, ErrBadURL
	}
	if err := refusePooler(ctx, cfg.ConnConfig); err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*cfg.ConnConfig)
	defer db.Close()
	provider, err := newMigrator(db)
	if err != nil {
		return nil, err
	}
	results, err := provider.Up(ctx)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == codeLockTimeout {
		return nil, fmt.Errorf("postgres: migrate: somebody holds a table; end what does (a dump, an open transaction) and run it again: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: migrate: %w", err)
	}
	var applied []string
	for _, r := range results {
		applied = append(applied, r.Source.Path)
	}
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return applied, fmt.Errorf("postgres: connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	created, err := createFunctions(ctx, conn)
	if err != nil {
		return applied, fmt.Errorf("postgres: create functions: %w", err)
	}
	if len(created) > 0 {
		applied = append(applied, functionsOf(created))
	}
	return applied, nil
}

func newMigrator(db *sql.DB) (*goose.Provider, error) {
	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		return nil, fmt.Errorf("postgres: embedded migrations: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockRetrySeconds, lockRetries))
	if err != nil {
		return nil, fmt.Errorf("postgres: migration lock: %w", err)
	}
	return goose.NewProvider(goose.DialectPostgres, db, migrations, goose.WithSessionLocker(locker))
}
