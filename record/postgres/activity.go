package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// A reach tells how far back the latest attempts reach.
type reach struct {
	looked   int
	earliest time.Time // when the earliest of these ended
}

// add adds attempts of which the earliest ended at a time.
func (l *reach) add(n int, earliest time.Time) {
	l.looked += n
	if l.earliest.IsZero() || earliest.Before(l.earliest) {
		l.earliest = earliest
	}
}

// since returns from when on the attempts are all that there are, if all since a
// time were asked for and limit at most.
func (l *reach) since(asked time.Time, limit int) time.Time {
	if l.looked >= limit {
		return l.earliest.UTC()
	}
	return asked
}

// Activity implements record.Board, in one round trip.
func (r *Record) Activity(ctx context.Context) (record.Activity, error) {
	var a record.Activity
	var back reach
	args := pgx.NamedArgs{
		"since": record.ActivitySince, "look": record.MaxAttempts, "paces": record.MaxPaces, "heads": record.MaxHeads, "stretch": record.PaceStretch,
	}
	err := r.send(ctx,
		call{statement: "clock", read: oneRow(&a.At)},
		call{statement: "waits", args: args, read: readWaits(&a)},
		call{statement: "attempts_lately", args: args, read: readAttemptsLately(&a, &back)},
		call{statement: "paces", args: args, read: readPaces(&a)},
		call{statement: "paces_lately", args: args, read: readPacesLately(&a)},
	)
	if err != nil {
		return record.Activity{}, fmt.Errorf("postgres: read what goes on: %w", err)
	}
	a.At = a.At.UTC()
	a.Since = back.since(a.At.Add(-record.ActivitySince), record.MaxAttempts)
	return a, nil
}

func readWaits(a *record.Activity) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var w record.Wait
		var priority int
		_, err := pgx.ForEachRow(rows, []any{&w.Lane, &w.Model, &priority, &w.Images, &w.Oldest}, func() error {
			w.Priority, w.Oldest = ranked(priority), w.Oldest.UTC()
			w.More = w.Images > record.MaxHeads
			w.Images = min(w.Images, record.MaxHeads)
			a.Waits = append(a.Waits, w)
			return nil
		})
		return err
	}
}

func readAttemptsLately(a *record.Activity, back *reach) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var lane string
		var outcome job.Outcome
		var n int
		var earliest time.Time
		_, err := pgx.ForEachRow(rows, []any{&lane, &outcome, &n, &earliest}, func() error {
			back.add(n, earliest)
			if last := len(a.Lanes) - 1; last < 0 || a.Lanes[last].Lane != lane {
				a.Lanes = append(a.Lanes, record.LaneActivity{Lane: lane, Outcomes: make(map[job.Outcome]int)})
			}
			a.Lanes[len(a.Lanes)-1].Outcomes[outcome] = n
			return nil
		})
		return err
	}
}

// readPaces reads how long attempts of lanes took that are there already.
func readPaces(a *record.Activity) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var lane string
		var wait, run record.Runs
		_, err := pgx.ForEachRow(rows, []any{&lane, &wait.Pictures, &wait.Median, &wait.P95, &run.Median, &run.P95}, func() error {
			run.Pictures = wait.Pictures
			for i := range a.Lanes {
				if a.Lanes[i].Lane == lane {
					a.Lanes[i].Wait, a.Lanes[i].Run = wait, run
				}
			}
			return nil
		})
		return err
	}
}

// readPacesLately reads how long attempts took, by when they ended.
func readPacesLately(a *record.Activity) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var p record.Pace
		_, err := pgx.ForEachRow(rows, []any{&p.At, &p.Wait.Pictures, &p.Wait.Median, &p.Wait.P95, &p.Run.Median, &p.Run.P95}, func() error {
			p.At, p.Run.Pictures = p.At.UTC(), p.Wait.Pictures
			a.Paces = append(a.Paces, p)
			return nil
		})
		return err
	}
}

// Slots implements record.Board.
func (r *Record) Slots(ctx context.Context, lane string, since time.Time) (s record.Slots, err error) {
	since = record.KeptTime(since)
	if strings.Contains(lane, "\x00") { // there is none
		return record.Slots{Since: since}, nil
	}
	var back reach
	args := pgx.NamedArgs{"lane": lane, "since": since, "look": record.MaxAttempts}
	if err := r.send(ctx, call{statement: "slots", args: args, read: readSlots(&s, &back)}); err != nil {
		return record.Slots{}, fmt.Errorf("postgres: read the minutes of lanes: %w", err)
	}
	s.Since = back.since(since, record.MaxAttempts)
	return s, nil
}

func readSlots(s *record.Slots, back *reach) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var lane *string
		var minute *time.Time
		var outcome *job.Outcome
		var n int
		var earliest time.Time
		_, err := pgx.ForEachRow(rows, []any{&lane, &minute, &outcome, &n, &earliest}, func() error {
			back.add(n, earliest)
			if lane != nil {
				addSlots(s, *lane, minute.UTC(), *outcome, n)
			}
			return nil
		})
		return err
	}
}

// addSlots counts attempts of a minute of a lane. They come in the order of these.
func addSlots(s *record.Slots, lane string, minute time.Time, outcome job.Outcome, n int) {
	if last := len(s.Lanes) - 1; last < 0 || s.Lanes[last].Lane != lane {
		s.Lanes = append(s.Lanes, record.LaneSlots{Lane: lane})
	}
	l := &s.Lanes[len(s.Lanes)-1]
	if last := len(l.Minutes) - 1; last < 0 || !l.Minutes[last].At.Equal(minute) {
		l.Minutes = append(l.Minutes, record.Minute{At: minute})
	}
	l.Minutes[len(l.Minutes)-1].Add(outcome, n)
}
