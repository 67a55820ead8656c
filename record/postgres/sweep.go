package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Unsent implements record.Record.
func (r *Record) Unsent(ctx context.Context, age time.Duration, limit int) ([]job.Task, error) {
	tasks, err := r.queryTasks(ctx, "unsent", pgx.NamedArgs{"age": age, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("postgres: find tasks that were not sent: %w", err)
	}
	return tasks, nil
}

// Unheard implements record.Record.
func (r *Record) Unheard(ctx context.Context, age time.Duration, limit int) ([]job.Task, error) {
	tasks, err := r.queryTasks(ctx, "unheard", pgx.NamedArgs{"age": age, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("postgres: find tasks that were not heard of: %w", err)
	}
	return tasks, nil
}

// Retired implements record.Record.
func (r *Record) Retired(ctx context.Context, age time.Duration, limit int) ([]job.Job, error) {
	var jobs []job.Job
	err := r.send(ctx, call{
		statement: "retired", args: pgx.NamedArgs{"age": age, "limit": limit}, read: func(rows pgx.Rows) (err error) {
			jobs, err = collectJobs(rows)
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: find retired jobs: %w", err)
	}
	return jobs, nil
}

// Known implements record.Record.
func (r *Record) Known(ctx context.Context, ids ...string) ([]string, error) {
	asked := make([]pgtype.UUID, len(ids))
	for i, id := range ids {
		asked[i] = uuidArg(id)
	}
	var known []string
	err := r.send(ctx, call{statement: "known", args: pgx.NamedArgs{"ids": asked}, read: func(rows pgx.Rows) (err error) {
		known, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	}})
	if err != nil {
		return nil, fmt.Errorf("postgres: look up %d jobs: %w", len(ids), err)
	}
	return known, nil
}

// Delete implements record.Record.
func (r *Record) Delete(ctx context.Context, id string) error {
	found := 0
	err := r.send(ctx, call{statement: "delete", args: pgx.NamedArgs{"id": uuidArg(id)}, read: counting(&found)})
	switch {
	case err != nil:
		return fmt.Errorf("postgres: delete job %s: %w", id, err)
	case found == 0:
		return record.ErrNotFound
	}
	return nil
}
