package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ErrPooler means that the database is behind a transaction pooler, where a lock
// of Migrate's session would be another client's.
var ErrPooler = errors.New("postgres: migrate: DATABASE_URL leads to a transaction pooler, behind which migrations cannot hold their lock: " +
	"give it the direct connection (Neon: the host without -pooler; Supabase: the direct one, or the session pooler at port 5432; " +
	"with Terraform: migrate_database_url = true, and the secret migrate-database-url)")

// poolerLooks is how often refusePooler looks at a pooler that it does not know.
// One that is busy may give the connection to others each time.
const poolerLooks = 5

// refusePooler returns ErrPooler if an address is a known transaction pooler's, or
// turns out to be one.
func refusePooler(ctx context.Context, cfg *pgx.ConnConfig) error {
	if isPooler(cfg.Host, cfg.Port) {
		return ErrPooler
	}
	shared, err := sharesConnections(ctx, cfg)
	if err != nil {
		return fmt.Errorf("postgres: look for a pooler: %w", err)
	}
	if shared {
		return ErrPooler
	}
	return nil
}

// sharesConnections reports whether two connections are served by one process of
// the server while both are open. That is so behind a transaction pooler only: it
// takes a process away from a client as soon as a transaction ends. A pooler of
// sessions, and the server itself, leave it to the client.
func sharesConnections(ctx context.Context, cfg *pgx.ConnConfig) (bool, error) {
	first, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return false, err
	}
	defer first.Close(context.WithoutCancel(ctx))
	one, err := servedBy(ctx, first)
	if err != nil || one == first.PgConn().PID() { // the server itself: a pooler tells another process ID
		return false, err
	}
	second, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return false, err
	}
	defer second.Close(context.WithoutCancel(ctx))
	for range poolerLooks {
		other, err := servedBy(ctx, second)
		if err != nil || other == one {
			return err == nil, err
		}
		if one, err = servedBy(ctx, first); err != nil || other == one {
			return err == nil, err
		}
	}
	return false, nil
}

// servedBy returns the ID of the process that serves a connection.
func servedBy(ctx context.Context, conn *pgx.Conn) (pid uint32, err error) {
	err = conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeSimpleProtocol).Scan(&pid)
	return pid, err
}
