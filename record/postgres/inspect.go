package postgres

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"
)

// Facts are what Inspect finds out about a database.
type Facts struct {
	Address string // host:port
	// Pooler tells that the address is known to be a transaction pooler's,
	// which Migrate cannot use.
	Pooler bool

	Version   int           // of the server, as in server_version_num: 150004 is 15.4
	RoundTrip time.Duration // of one statement, without the time to connect
	Ahead     time.Duration // by how much the server's clock is ahead of this machine's

	Planning Planning // how statements are kept from being planned each time

	Pending []string // what Migrate would apply
	Newer   []int64  // versions of the schema that this program does not know
}

// Inspect looks at a database without changing anything. When it fails, it
// returns the address all the same. TroubleOf says what the error is a sign of.
func Inspect(ctx context.Context, pool *pgxpool.Pool) (Facts, error) {
	cfg := pool.Config().ConnConfig
	f := Facts{Address: net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port)))}
	f.Pooler = isPooler(cfg.Host, cfg.Port)
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return f, fmt.Errorf("postgres: connect: %w", err)
	}
	defer conn.Release()
	f.Planning = planningOf(conn.Conn())
	if err := f.ask(ctx, conn.Conn()); err != nil {
		return f, err
	}
	return f, f.compare(ctx, conn.Conn())
}

// isPooler reports whether an address is a known transaction pooler's. It knows
// Neon by its names, and Supabase and PgBouncer by their ports. Supabase's
// session pooler has the port 5432, and holds a session's lock.
func isPooler(host string, port uint16) bool {
	return strings.Contains(host, "-pooler.") || port == 6543 || port == 6432
}

// ask reads the server's version and clock in one round trip, which only the
// simple protocol does.
func (f *Facts) ask(ctx context.Context, conn *pgx.Conn) error {
	const query = `SELECT current_setting('server_version_num')::int, clock_timestamp()`
	var now time.Time
	asked := time.Now()
	err := conn.QueryRow(ctx, query, pgx.QueryExecModeSimpleProtocol).Scan(&f.Version, &now)
	if err != nil {
		return fmt.Errorf("postgres: ask for the version: %w", err)
	}
	f.RoundTrip = time.Since(asked)
	f.Ahead = now.Sub(asked.Round(0)) - f.RoundTrip/2
	return nil
}

// compare compares the schema with this program's migrations.
func (f *Facts) compare(ctx context.Context, conn *pgx.Conn) error {
	applied, err := appliedVersions(ctx, conn)
	if err != nil {
		return fmt.Errorf("postgres: read the version of the schema: %w", err)
	}
	names, err := fs.Glob(files, "migrations/*.sql") // in order
	if err != nil {
		return fmt.Errorf("postgres: embedded migrations: %w", err)
	}
	newest := int64(0)
	for _, name := range names {
		v, err := goose.NumericComponent(name)
		if err != nil {
			return fmt.Errorf("postgres: embedded migrations: %w", err)
		}
		newest = max(newest, v)
		if !applied[v] {
			f.Pending = append(f.Pending, strings.TrimPrefix(name, "migrations/"))
		}
	}
	for v := range applied {
		if v > newest {
			f.Newer = append(f.Newer, v)
		}
	}
	slices.Sort(f.Newer)
	missing, err := missingFunctions(ctx, conn)
	if err != nil {
		return fmt.Errorf("postgres: look for functions: %w", err)
	}
	if len(missing) > 0 {
		f.Pending = append(f.Pending, functionsOf(missing))
	}
	return nil
}

// appliedVersions returns the versions in the migrator's own table. An empty
// database does not have that table.
func appliedVersions(ctx context.Context, conn *pgx.Conn) (map[int64]bool, error) {
	rows, err := conn.Query(ctx, `SELECT version_id FROM `+goose.DefaultTablename+` WHERE is_applied`,
		pgx.QueryExecModeSimpleProtocol)
	applied := make(map[int64]bool)
	if err == nil {
		var version int64
		_, err = pgx.ForEachRow(rows, []any{&version}, func() error {
			applied[version] = true
			return nil
		})
	}
	if TroubleOf(err) == TroubleSchema {
		err = nil
	}
	return applied, err
}
