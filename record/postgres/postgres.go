// Package postgres is the record on PostgreSQL, for production.
//
// Each transition is a single guarded statement, in a file of its own under
// sql. It goes out together with the statement that reads the job back, in one
// round trip and one implicit transaction. The second statement sees exactly
// the version that the first one made, because the first holds the job's row.
// The same statements count what waits. A statement that changes this count
// holds the lock of its model. What must hold of every statement is said by
// record/memory, in Go.
//
// Time is the database's, so that instances whose clocks disagree still agree
// on leases.
package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ai-worker/ai-worker/record"
)

const (
	// maxConns is small because Cloud Run multiplies it by its instances. It is
	// enough because no connection is held while Gemini works.
	maxConns = 4
	// maxConnIdle lies below the five minutes after which serverless
	// databases suspend, so that an idle pool does not keep one awake.
	maxConnIdle = 2 * time.Minute
	dialTimeout = 5 * time.Second
	pingTimeout = 2 * time.Second
)

// ErrBadURL means that the connection string cannot be parsed. The parser's own
// words are left out, because they can quote the password.
var ErrBadURL = errors.New("postgres: DATABASE_URL is not a valid connection string; " +
	"it looks like postgres://user:password@host:5432/database?sslmode=require")

// Record is a record.Record on a pool of connections.
type Record struct {
	pool       *pgxpool.Pool
	statements statements
}

var _ record.Record = (*Record)(nil)

// New returns a record on pool, whose database must have the schema of Migrate.
func New(pool *pgxpool.Pool) *Record {
	return &Record{pool: pool, statements: loadStatements()}
}

// NewPool returns a pool for the database at url. It connects on first use.
//
// Settings in the url win over the defaults here. The defaults suit both the
// server itself and a transaction pooler in front of it (PgBouncer, Neon,
// Supabase); see Planning.
func NewPool(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, ErrBadURL
	}
	unset := func(setting string) bool { return !strings.Contains(url, setting) }
	if unset("default_query_exec_mode") {
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe // leaves nothing on the server
		cfg.AfterConnect = choosePlanning
	}
	if unset("pool_max_conns") {
		cfg.MaxConns = maxConns
	}
	if unset("pool_max_conn_idle_time") {
		cfg.MaxConnIdleTime = maxConnIdle
	}
	if unset("connect_timeout") {
		cfg.ConnConfig.ConnectTimeout = dialTimeout
	}
	cfg.PingTimeout = pingTimeout
	cfg.ConnConfig.Tracer = deadline{}
	return pgxpool.NewWithConfig(ctx, cfg)
}
