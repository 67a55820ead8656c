package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/status"
)

const lanesSQL = `
SELECT name, paused_until, coalesce(broken, 0), reason_code, coalesce(reason_message, ''), paused_since,
       (SELECT count(*) FROM images WHERE task_lane = name AND status = 'queued')
FROM lanes`

// LaneStates implements status.Lanes.
func (s *Store) LaneStates(ctx context.Context) ([]status.LaneState, error) {
	states, err := laneStates(ctx, s.db)
	if err != nil {
		return nil, fmt.Errorf("sqlite: read the lanes: %w", err)
	}
	return states, nil
}

func laneStates(ctx context.Context, db querier) ([]status.LaneState, error) {
	rows, err := db.QueryContext(ctx, lanesSQL+` ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var states []status.LaneState
	for rows.Next() {
		l, err := scanLane(rows)
		if err != nil {
			return nil, err
		}
		states = append(states, l)
	}
	return states, rows.Err()
}

func scanLane(row interface{ Scan(dest ...any) error }) (status.LaneState, error) {
	var (
		l            status.LaneState
		until, since sql.NullInt64
		code         sql.NullString
		message      string
	)
	if err := row.Scan(&l.Name, &until, &l.Broken, &code, &message, &since, &l.Waiting); err != nil {
		return status.LaneState{}, err
	}
	if code.Valid {
		l.Reason = &job.Error{Code: job.Code(code.String), Message: message}
	}
	l.Until, l.Since = timeOrZero(until), timeOrZero(since)
	return l, nil
}

// Pause implements status.Lanes.
func (s *Store) Pause(ctx context.Context, lanes []string, p status.Pause) error {
	now := s.now()
	err := s.write(ctx, func(tx *sql.Tx) error {
		for _, lane := range lanes {
			if err := pause(ctx, tx, lane, p, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sqlite: pause %d lanes: %w", len(lanes), err)
	}
	return nil
}

// pause does nothing where a pause lasts longer. The reason of a broken lane
// stays, but not for a shorter time than the new one asks.
func pause(ctx context.Context, tx *sql.Tx, lane string, p status.Pause, now time.Time) error {
	_, err := tx.ExecContext(ctx, `
INSERT INTO lanes (name, paused_until, broken, reason_code, reason_message, paused_since)
VALUES (@name, @until, @broken, @code, @message, @now)
ON CONFLICT (name) DO UPDATE SET
    paused_until   = excluded.paused_until,
    broken         = CASE WHEN broken > excluded.broken THEN broken ELSE excluded.broken END,
    reason_code    = CASE WHEN broken > excluded.broken THEN reason_code ELSE excluded.reason_code END,
    reason_message = CASE WHEN broken > excluded.broken THEN reason_message ELSE excluded.reason_message END,
    paused_since   = coalesce(paused_since, excluded.paused_since)
WHERE paused_until IS NULL OR paused_until <= excluded.paused_until`,
		sql.Named("name", lane), sql.Named("until", now.Add(p.For).UnixMicro()), sql.Named("broken", p.Broken),
		sql.Named("code", string(p.Reason.Code)), sql.Named("message", p.Reason.Message),
		sql.Named("now", now.UnixMicro()))
	return err
}

// Resume implements status.Lanes.
func (s *Store) Resume(ctx context.Context, lane string) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
UPDATE lanes SET
    paused_until = NULL, broken = NULL, reason_code = NULL, reason_message = NULL, paused_since = NULL
WHERE name = @name`, sql.Named("name", lane))
		return err
	})
	if err != nil {
		return fmt.Errorf("sqlite: resume lane %s: %w", lane, err)
	}
	return nil
}

// usable fails with a *status.PausedError if the lane may not be used now.
func (s *Store) usable(ctx context.Context, tx *sql.Tx, lane string) error {
	now := s.now()
	l, err := scanLane(tx.QueryRowContext(ctx, lanesSQL+` WHERE name = @name AND paused_until > @now`,
		sql.Named("name", lane), sql.Named("now", now.UnixMicro())))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return &status.PausedError{Lane: l, For: l.Until.Sub(now)}
}

// knowLanes makes lanes known that are given tasks.
func knowLanes(ctx context.Context, tx *sql.Tx, lanes ...string) error {
	for _, lane := range slices.Compact(slices.Sorted(slices.Values(lanes))) {
		_, err := tx.ExecContext(ctx, `INSERT INTO lanes (name) VALUES (@name) ON CONFLICT DO NOTHING`,
			sql.Named("name", lane))
		if err != nil {
			return err
		}
	}
	return nil
}
