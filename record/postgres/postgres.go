// Package postgres is the record on PostgreSQL, for production.
//
// Transitions are single guarded statements. Each goes out together with the
// statement that reads the job back, in one round trip and one implicit
// transaction: the second sees exactly the version that the first one made,
// since that holds the job's row. What waits is counted by the same statements,
// and whoever changes that holds the lock of its model.
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
	// maxConns is small because Cloud Run multiplies it by its instances, and
	// enough because no connection is held while Gemini works.
	maxConns = 4
	// maxConnIdle lies below the five minutes after which serverless
	// databases suspend, so that an idle pool does not keep one awake.
	maxConnIdle = 2 * time.Minute
	dialTimeout = 5 * time.Second
	pingTimeout = 2 * time.Second
)

// ErrBadURL: the connection string cannot be parsed. The parser's own words
// are left out, because they can quote the password.
var ErrBadURL = errors.New("postgres: DATABASE_URL is not a valid connection string; " +
	"it looks like postgres://user:password@host:5432/database?sslmode=require")

// Store is a record.Record on a pool of connections.
type Store struct {
	pool *pgxpool.Pool
}

var _ record.Record = (*Store)(nil)

// New returns a store on pool, whose database has the schema of Migrate.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

// NewPool prepares a pool for the database at url. It connects on first use.
//
// What the url sets wins over the defaults here. These suit a transaction
// pooler in front of the database (PgBouncer, Neon, Supabase), which does not
// keep prepared statements from one transaction to the next.
func NewPool(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, ErrBadURL
	}
	unset := func(setting string) bool { return !strings.Contains(url, setting) }
	if unset("default_query_exec_mode") {
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
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
