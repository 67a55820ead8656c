package postgres

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// StatementSQL returns the text that is prepared for a statement, the name
// under which it is prepared, and the number of its arguments.
func StatementSQL(name string) (sql, prepared string, args int) {
	s := loadStatements()[name]
	return s.sql, s.function, len(s.args)
}

// StatementNames returns the names of all statements.
func StatementNames() []string {
	var names []string
	for _, s := range loadStatements().sorted() {
		names = append(names, s.name)
	}
	return names
}

// UsePlanning makes the connections of a pool use one kind of Planning,
// whatever is at the other end.
func UsePlanning(cfg *pgxpool.Config, p Planning) {
	choose := cfg.AfterConnect
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if p == PlanningPrepared {
			return choose(ctx, conn)
		}
		conn.PgConn().CustomData()[planningKey] = p
		return nil
	}
}

// Edit replaces old in the text of a statement, which must contain it.
func Edit(t testing.TB, r *Record, name, old, changed string) {
	t.Helper()
	s, ok := r.statements[name]
	if !ok || !strings.Contains(s.sql, old) {
		t.Fatalf("statement %s has no %q", name, old)
	}
	s.sql, s.function = strings.Replace(s.sql, old, changed, 1), s.function+"_edited"
	r.statements[name] = s
}

// MigrateTo brings a database to an earlier version of the schema.
func MigrateTo(ctx context.Context, url string, version int64) error {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	provider, err := newMigrator(db)
	if err != nil {
		return err
	}
	_, err = provider.UpTo(ctx, version)
	return err
}
