package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Outlook implements record.Record.
func (r *Record) Outlook(ctx context.Context, d record.Draft) (record.Outlook, error) {
	rooms := make([]record.BudgetRoom, len(d.Budgets.Periods))
	if err := r.send(ctx, looksForRoom(d.Budgets, rooms)...); err != nil {
		return record.Outlook{}, fmt.Errorf("postgres: the budgets of a job: %w", err)
	}
	fits, heldBy, refusing := d.Fit(rooms)
	first, last, n := placed(d.Lanes[:fits])
	var waiting int
	var ahead []int
	var paused []job.PausedLane
	err := r.send(ctx,
		call{statement: "outlook", args: pgx.NamedArgs{
			"id": uuidArg(d.ID), "tenant": d.Tenant, "model": d.DrawnBy(), "priority": rank(d.Priority), "weight": d.Weight,
			"idxs": []int{first, last}, "ranks": []int{0, n - 1},
		}, read: oneRow(&waiting, &ahead)},
		call{statement: "paused_lanes", read: func(rows pgx.Rows) (err error) {
			paused, err = collectPaused(rows)
			return err
		}},
	)
	if err != nil {
		return record.Outlook{}, fmt.Errorf("postgres: the outlook of a job: %w", err)
	}
	if err := d.CheckWaiting(waiting); err != nil {
		return record.Outlook{}, err
	}
	if refusing != "" {
		return record.Outlook{}, &record.BudgetError{Scope: refusing}
	}
	out := record.Outlook{HeldBy: heldBy, Held: d.Input.Count - fits, Paused: paused}
	if n > 0 && len(ahead) > 0 {
		out.Ahead, out.LastAhead = &ahead[0], &ahead[1]
	}
	return out, nil
}

// placed returns the first and the last of images that has a lane, and how many have
// one.
func placed(lanes []string) (first, last, n int) {
	for i, lane := range lanes {
		if lane == "" {
			continue
		}
		if last = i; n == 0 {
			first = i
		}
		n++
	}
	return first, last, n
}
