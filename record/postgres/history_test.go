package postgres_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
	"github.com/ai-worker/ai-worker/record/recordtest"
)

// clockSQL makes a clock that tests set. A connection that looks for functions
// there first finds these instead of the server's own.
const clockSQL = `
CREATE SCHEMA clock;
CREATE UNLOGGED TABLE clock.moment (t timestamptz NOT NULL);
INSERT INTO clock.moment VALUES (now());
CREATE FUNCTION clock.now() RETURNS timestamptz STABLE LANGUAGE sql AS 'SELECT t FROM clock.moment';
CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz STABLE LANGUAGE sql AS 'SELECT t FROM clock.moment'`

// withClock returns a pool whose connections go by a clock, and a function that
// sets the clock.
func withClock(t *testing.T) (*pgxpool.Pool, func(time.Time)) {
	t.Helper()
	url := postgrestest.NewRecord(t)
	execSQL(t, newPool(t, url), clockSQL)
	pool := newPool(t, url+"&search_path=clock,pg_catalog,public")
	return pool, func(now time.Time) {
		if _, err := pool.Exec(t.Context(), "UPDATE clock.moment SET t = $1", now); err != nil {
			t.Fatal(err)
		}
	}
}

// In every step, Postgres does what the specification does.
func TestHistories(t *testing.T) {
	t.Parallel()
	pool, setTime := withClock(t)
	recordtest.Histories(t, func() recordtest.Timed {
		postgrestest.Empty(t, pool)
		return recordtest.Timed{Record: postgres.New(pool), SetTime: setTime}
	})
}
