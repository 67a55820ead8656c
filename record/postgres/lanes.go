package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

const (
	laneColumnsSQL = `name, waiting, paused_until, broken, reason_code, reason_message, paused_since`

	// addWaitingSQL closes an insert of numbers into "lanes AS l", which it
	// adds to the lanes that are there already. Who does that for several
	// lanes inserts them by name: jobs of different models may share lanes, and
	// their locks.
	addWaitingSQL = `
    ON CONFLICT (name) DO UPDATE SET waiting = l.waiting + excluded.waiting`
)

// LaneStates implements record.Record.
func (s *Store) LaneStates(ctx context.Context) ([]record.LaneState, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+laneColumnsSQL+` FROM lanes ORDER BY name COLLATE "C"`)
	if err != nil {
		return nil, fmt.Errorf("postgres: read the lanes: %w", err)
	}
	states, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (record.LaneState, error) {
		var l laneRow
		err := row.Scan(l.fields()...)
		return l.state(), err
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: read the lanes: %w", err)
	}
	return states, nil
}

// Pause implements record.Record.
func (s *Store) Pause(ctx context.Context, lanes []string, p record.Pause) error {
	const query = `
INSERT INTO lanes AS l (name, paused_until, paused_since, broken, reason_code, reason_message)
SELECT DISTINCT name, now() + @for::interval, now(), @broken::boolean, @code::text, @message::text
FROM unnest(@lanes::text[]) AS name ORDER BY name
ON CONFLICT (name) DO UPDATE SET
    paused_until = excluded.paused_until,
    paused_since = coalesce(l.paused_since, excluded.paused_since),
    broken = l.broken OR excluded.broken,
    reason_code = CASE WHEN l.broken AND NOT excluded.broken THEN l.reason_code ELSE excluded.reason_code END,
    reason_message = CASE WHEN l.broken AND NOT excluded.broken THEN l.reason_message ELSE excluded.reason_message END
WHERE l.paused_until IS NULL OR l.paused_until <= excluded.paused_until`
	_, err := s.pool.Exec(ctx, query, pgx.NamedArgs{
		"lanes": lanes, "for": p.For, "broken": p.Broken, "code": p.Reason.Code, "message": p.Reason.Message,
	})
	if err != nil {
		return fmt.Errorf("postgres: pause the lanes %q: %w", lanes, err)
	}
	return nil
}

// Resume implements record.Record.
func (s *Store) Resume(ctx context.Context, lane string) error {
	const query = `
UPDATE lanes SET paused_until = NULL, paused_since = NULL, broken = false, reason_code = NULL, reason_message = NULL
WHERE name = @lane AND paused_until IS NOT NULL`
	if _, err := s.pool.Exec(ctx, query, pgx.NamedArgs{"lane": lane}); err != nil {
		return fmt.Errorf("postgres: resume the lane %q: %w", lane, err)
	}
	return nil
}

// A laneRow is laneColumnsSQL, all NULL where a join found no lane.
type laneRow struct {
	name          *string
	waiting       *int
	until         *time.Time
	broken        *bool
	code, message *string
	since         *time.Time
}

func (l *laneRow) fields() []any {
	return []any{&l.name, &l.waiting, &l.until, &l.broken, &l.code, &l.message, &l.since}
}

// state is the lane, which must be there.
func (l *laneRow) state() record.LaneState {
	state := record.LaneState{
		Name: *l.name, Waiting: *l.waiting, Broken: *l.broken,
		Until: timeOrZero(l.until), Since: timeOrZero(l.since),
	}
	if l.code != nil {
		state.Reason = &job.Error{Code: job.Code(*l.code), Message: *l.message}
	}
	return state
}

// A pausedRow is a lane that stopped a claim, all NULL if none did.
type pausedRow struct {
	laneRow

	remains *time.Duration
}

func (p *pausedRow) fields() []any { return append(p.laneRow.fields(), &p.remains) }

func (p *pausedRow) error() *record.PausedError {
	return &record.PausedError{Lane: p.state(), For: *p.remains}
}
