package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Overview implements record.Operators: in one round trip.
func (r *Record) Overview(ctx context.Context) (record.Overview, error) {
	var o record.Overview
	var b backlogRow
	err := r.send(ctx,
		call{statement: "clock", read: oneRow(&o.At)},
		call{statement: "lane_states", read: func(rows pgx.Rows) (err error) {
			o.Lanes, err = collectLanes(rows)
			return err
		}},
		call{statement: "in_flight", read: readInFlight(&o)},
		call{statement: "models", read: readModels(&o.Models)},
		b.call(record.UnsentAge),
		call{statement: "tenants_waiting", read: readTenants(&o)},
		call{
			statement: "ended", args: pgx.NamedArgs{"since": record.EndedSince, "jobs": record.MaxEnded}, read: readEnded(&o),
		},
	)
	if err != nil {
		return record.Overview{}, fmt.Errorf("postgres: read the overview: %w", err)
	}
	o.At, o.Backlog = o.At.UTC(), b.backlog()
	return o, nil
}

func readInFlight(o *record.Overview) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var lane string
		var n int
		_, err := pgx.ForEachRow(rows, []any{&lane, &n}, func() error {
			if o.InFlight == nil {
				o.InFlight = make(map[string]int)
			}
			o.InFlight[lane] = n
			return nil
		})
		return err
	}
}

func readTenants(o *record.Overview) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var t record.TenantState
		var waits *time.Duration // NULL if the oldest started just now
		_, err := pgx.ForEachRow(rows, []any{&t.Tenant, &t.Waiting, &waits, &o.Waiting}, func() error {
			if t.Waits = 0; waits != nil {
				t.Waits = *waits
			}
			o.Tenants = append(o.Tenants, t)
			return nil
		})
		return err
	}
}

func readEnded(o *record.Overview) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var status job.Status
		var n int
		var more bool
		_, err := pgx.ForEachRow(rows, []any{&status, &n, &more}, func() error {
			o.Ended.More = o.Ended.More || more
			if n == 0 {
				return nil
			}
			if o.Ended.Jobs == nil {
				o.Ended.Jobs = make(map[job.Status]int)
			}
			o.Ended.Jobs[status] = n
			return nil
		})
		return err
	}
}
