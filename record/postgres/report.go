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
	var b backlogRow
	if err := r.send(ctx, b.call(unsent)); err != nil {
		return record.Backlog{}, fmt.Errorf("postgres: read the backlog: %w", err)
	}
	return b.backlog(), nil
}

// A backlogRow is what backlog returns. The times are NULL if nothing waits.
type backlogRow struct {
	counts      record.Backlog
	waits, idle *time.Duration
}

// call returns the call of backlog that reads into b.
func (b *backlogRow) call(unsent time.Duration) call {
	c := &b.counts
	return call{
		statement: "backlog", args: pgx.NamedArgs{"unsent": unsent},
		read: oneRow(&c.Waiting, &c.Parked, &c.Held, &c.Processing, &c.Unsent, &b.waits, &b.idle, &c.Untold),
	}
}

func (b *backlogRow) backlog() record.Backlog {
	all := b.counts
	if b.waits != nil {
		all.Waits = *b.waits
		all.Idle = all.Waits
		if b.idle != nil {
			all.Idle = max(0, min(*b.idle, all.Waits))
		}
	}
	return all
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
