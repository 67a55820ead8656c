package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// LaneStates implements record.Record.
func (r *Record) LaneStates(ctx context.Context) ([]record.LaneState, error) {
	var states []record.LaneState
	err := r.send(ctx, call{statement: "lane_states", read: func(rows pgx.Rows) (err error) {
		states, err = collectLanes(rows)
		return err
	}})
	if err != nil {
		return nil, fmt.Errorf("postgres: read the lanes: %w", err)
	}
	return states, nil
}

func collectLanes(rows pgx.Rows) (states []record.LaneState, err error) {
	var l laneRow
	_, err = pgx.ForEachRow(rows, l.fields(), func() error {
		states = append(states, l.state())
		return nil
	})
	return states, err
}

// Pause implements record.Record.
func (r *Record) Pause(ctx context.Context, lanes []string, p record.Pause) error {
	err := r.send(ctx, call{statement: "pause", args: pgx.NamedArgs{
		"lanes": lanes, "for": p.For, "broken": p.Broken, "code": p.Reason.Code, "message": p.Reason.Message,
	}})
	if err != nil {
		return fmt.Errorf("postgres: pause the lanes %q: %w", lanes, err)
	}
	return nil
}

// Resume implements record.Record.
func (r *Record) Resume(ctx context.Context, lane string, claimed time.Time) error {
	var paused bool
	err := r.send(ctx, call{
		statement: "resume", args: pgx.NamedArgs{"lane": lane, "claimed": claimed}, read: oneRow(&paused),
	})
	if err != nil {
		return fmt.Errorf("postgres: resume the lane %q: %w", lane, err)
	}
	if paused {
		return record.ErrLanePaused
	}
	return nil
}

// A laneRow is a lane as claim and lane_states read it. All fields are NULL if
// there is none.
type laneRow struct {
	name          *string
	waiting       *int
	until         *time.Time
	broken        *bool
	code, message *string
	since         *time.Time

	handAt           *time.Time
	handWho, handWhy *string
}

func (l *laneRow) fields() []any {
	return []any{&l.name, &l.waiting, &l.until, &l.broken, &l.code, &l.message, &l.since, &l.handAt, &l.handWho, &l.handWhy}
}

// state returns the lane, which must be there.
func (l *laneRow) state() record.LaneState {
	state := record.LaneState{
		Name: *l.name, Waiting: *l.waiting, Broken: *l.broken,
		Until: timeOrZero(l.until), Since: timeOrZero(l.since),
	}
	if l.code != nil {
		state.Reason = &job.Error{Code: job.Code(*l.code), Message: *l.message}
	}
	if l.handAt != nil {
		state.ByHand = record.HandPause{At: l.handAt.UTC(), Who: *l.handWho, Reason: *l.handWhy}
	}
	return state
}

// A pausedRow is a lane that stopped a claim. All fields are NULL if none did.
type pausedRow struct {
	lane    laneRow
	remains *time.Duration
}

func (p *pausedRow) fields() []any { return append(p.lane.fields(), &p.remains) }

func (p *pausedRow) error() *record.PausedError {
	return &record.PausedError{Lane: p.lane.state(), For: *p.remains}
}
