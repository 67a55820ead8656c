package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Backlog implements record.Record.
func (r *Record) Backlog(ctx context.Context, unsent time.Duration) (record.Backlog, error) {
	var b record.Backlog
	var waits, idle *time.Duration
	args := pgx.NamedArgs{"unsent": unsent}
	err := r.send(ctx, call{
		statement: "backlog", args: args,
		read: oneRow(&b.Waiting, &b.Parked, &b.Processing, &b.Unsent, &waits, &idle, &b.Untold),
	})
	if err != nil {
		return record.Backlog{}, fmt.Errorf("postgres: read the backlog: %w", err)
	}
	if waits != nil {
		b.Waits = *waits
		b.Idle = b.Waits
		if idle != nil {
			b.Idle = max(0, min(*idle, b.Waits))
		}
	}
	return b, nil
}

// Outcomes implements record.Record.
func (r *Record) Outcomes(ctx context.Context, since time.Duration) (record.Outcomes, error) {
	var out record.Outcomes
	err := r.send(ctx, call{statement: "outcomes", args: pgx.NamedArgs{
		"since": since, "runs_since": record.RunsSince, "jobs": record.MaxOutcomes, "pictures": record.MaxRuns,
	}, read: func(rows pgx.Rows) error {
		var (
			model  string
			to     job.Status
			code   job.Code
			n      int
			micros []int64
		)
		_, err := pgx.ForEachRow(rows, []any{&model, &to, &code, &n, &micros}, func() error {
			took := make([]time.Duration, len(micros))
			for i, m := range micros {
				took[i] = time.Duration(m) * time.Microsecond
			}
			out.Add(model, to, code, n, took)
			return nil
		})
		return err
	}})
	if err != nil {
		return record.Outcomes{}, fmt.Errorf("postgres: read the outcomes: %w", err)
	}
	return out, nil
}
