package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// functionPrefix is the start of the names of this program's functions.
const functionPrefix = "ai_worker_"

// functionLock is the advisory lock under which functions are created. The
// number has no meaning; it only must not be used for anything else.
const functionLock = 5_417_220_308

// createFunctions makes a function of each statement that has none yet, and
// returns those statements. Functions of other versions of this program stay.
func createFunctions(ctx context.Context, conn *pgx.Conn) ([]statement, error) {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(functionLock)); err != nil {
		return nil, err
	}
	missing, err := missingFunctions(ctx, conn)
	if err != nil {
		return nil, err
	}
	for _, s := range missing {
		definition, err := s.definition(ctx, conn)
		if err == nil {
			_, err = tx.Exec(ctx, definition)
		}
		if err != nil {
			return nil, fmt.Errorf("statement %s: %w", s.name, err)
		}
	}
	return missing, tx.Commit(ctx)
}

// functionsOf returns a description of the functions that Migrate creates.
func functionsOf(created []statement) string {
	return fmt.Sprintf("functions of %d statements", len(created))
}

// missingFunctions returns the statements for which the database has no
// function.
func missingFunctions(ctx context.Context, conn *pgx.Conn) ([]statement, error) {
	rows, err := conn.Query(ctx,
		`SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND starts_with(proname, '`+functionPrefix+`')`,
		pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[name] = true
	}
	var missing []statement
	for _, s := range loadStatements().sorted() {
		if !there[s.function] {
			missing = append(missing, s)
		}
	}
	return missing, nil
}

// definition returns the statement that creates the function. The server says
// which types the statement takes and returns.
//
// The server plans a function's statement once for each of its own connections,
// under the settings of the function.
func (s statement) definition(ctx context.Context, conn *pgx.Conn) (string, error) {
	described, err := conn.Prepare(ctx, "", s.sql)
	if err != nil {
		return "", err
	}
	oids := described.ParamOIDs
	for _, f := range described.Fields {
		oids = append(oids, f.DataTypeOID)
	}
	types, err := typeNames(ctx, conn, oids)
	if err != nil {
		return "", err
	}
	takes, returns := types[:len(s.args)], types[len(s.args):]
	for i := range returns {
		returns[i] = fmt.Sprintf("r%d %s", i+1, returns[i])
	}
	return fmt.Sprintf(`
CREATE FUNCTION %s(%s) RETURNS TABLE (%s) LANGUAGE plpgsql VOLATILE %s
AS $function$ BEGIN RETURN QUERY %s; END $function$`,
		s.function, strings.Join(takes, ", "), strings.Join(returns, ", "), functionSettings(), s.sql), nil
}

// functionSettings returns the settings for plans in the form that a function's
// definition takes.
func functionSettings() string {
	var settings []string
	for _, name := range slices.Sorted(maps.Keys(planSettings())) {
		settings = append(settings, fmt.Sprintf("SET %s = %s", name, planSettings()[name]))
	}
	return strings.Join(settings, " ")
}

// typeNames returns the names of types.
func typeNames(ctx context.Context, conn *pgx.Conn, oids []uint32) ([]string, error) {
	rows, err := conn.Query(ctx,
		"SELECT format_type(oid, NULL) FROM unnest($1::oid[]) WITH ORDINALITY AS t (oid, n) ORDER BY n", oids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
