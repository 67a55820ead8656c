package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Planning is how a connection spares Postgres from parsing and planning a
// statement each time it runs. To plan a statement takes several times as long
// as to run it.
type Planning string

const (
	// PlanningPrepared means that statements are prepared on the connection,
	// which is the server's own.
	PlanningPrepared Planning = "prepared statements"
	// PlanningFunctions means that statements are functions in the database,
	// because there is a pooler in between. The pooler may hand each
	// transaction to another of the server's connections, on which nothing was
	// prepared.
	PlanningFunctions Planning = "functions"
	// PlanningNone means that statements are planned each time, or as the
	// connection string asks with default_query_exec_mode.
	PlanningNone Planning = "none"
)

// planSettings returns the server's settings for plans, by name.
func planSettings() map[string]string {
	return map[string]string{
		// A plan is made once, for all arguments.
		"plan_cache_mode": "force_generic_plan",
		// It may be made on the first day, when the tables are empty and to
		// read a whole table is cheap. It has to do for years.
		"enable_seqscan": "off",
		// No plan here is worth compiling. But where there is no index, as for
		// the few lanes, enable_seqscan makes a plan look expensive.
		"jit": "off",
	}
}

// planningKey is the key under which a connection keeps its Planning.
const planningKey = "planning"

// choosePlanning finds out, in one round trip, whether a new connection is the
// server's own: a pooler tells its clients another process ID than the server
// does. If it is the server's own, it gets the settings for plans.
//
// Behind a pooler, other clients would get connections with these settings. So
// there the settings end with the transaction. That also goes for poolers that
// know prepared statements (PgBouncer since 1.21): without the settings the
// server may plan each time, or make a plan that does not last. Functions have
// the settings in their definition.
func choosePlanning(ctx context.Context, conn *pgx.Conn) error {
	asked := []string{"pg_backend_pid()"}
	for name, value := range planSettings() {
		asked = append(asked, fmt.Sprintf("set_config('%s', '%s', pg_backend_pid() <> $1::bigint)", name, value))
	}
	var server uint32
	row := conn.QueryRow(ctx, "SELECT "+strings.Join(asked, ", "), pgx.QueryExecModeSimpleProtocol, int64(conn.PgConn().PID()))
	if err := row.Scan(&server, nil, nil, nil); err != nil {
		return fmt.Errorf("postgres: ask which process serves the connection: %w", err)
	}
	chosen := PlanningFunctions
	if server == conn.PgConn().PID() {
		chosen = PlanningPrepared
	}
	conn.PgConn().CustomData()[planningKey] = chosen
	return nil
}

// planningOf returns the Planning of a connection.
func planningOf(conn *pgx.Conn) Planning {
	if chosen, ok := conn.PgConn().CustomData()[planningKey].(Planning); ok {
		return chosen
	}
	return PlanningNone
}

// prepare returns what to send on a connection for a statement. If the connection
// plans by prepared statements, prepare first prepares the statement on it.
func (s statement) prepare(ctx context.Context, conn *pgx.Conn) (string, error) {
	switch planningOf(conn) {
	case PlanningPrepared:
		_, err := conn.Prepare(ctx, s.function, s.sql) // does nothing the second time
		return s.function, err
	case PlanningFunctions:
		return s.call(), nil
	default:
		return s.sql, nil
	}
}
