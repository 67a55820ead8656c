package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ai-worker/ai-worker/job"
)

// Enqueued implements record.Record.
func (r *Record) Enqueued(ctx context.Context, tasks ...job.Task) error {
	jobs := make([]pgtype.UUID, len(tasks))
	idxs, dispatches := make([]int, len(tasks)), make([]int, len(tasks))
	for i, t := range tasks {
		jobs[i], idxs[i], dispatches[i] = uuidArg(t.JobID), t.Index, t.Dispatch
	}
	args := pgx.NamedArgs{"jobs": jobs, "idxs": idxs, "dispatches": dispatches}
	err := r.send(ctx, call{statement: "lock_tasks", args: args}, call{statement: "enqueued", args: args})
	if err != nil {
		return fmt.Errorf("postgres: note %d tasks as enqueued: %w", len(tasks), err)
	}
	return nil
}

func taskArgs(t job.Task) pgx.NamedArgs {
	return pgx.NamedArgs{"task_job_id": uuidArg(t.JobID), "task_idx": t.Index, "task_dispatch": t.Dispatch}
}

// queryTasks runs a statement that returns tasks.
func (r *Record) queryTasks(ctx context.Context, statement string, args pgx.NamedArgs) (tasks []job.Task, err error) {
	err = r.send(ctx, call{statement: statement, args: args, read: func(rows pgx.Rows) (err error) {
		tasks, err = collectTasks(rows)
		return err
	}})
	return tasks, err
}

func collectTasks(rows pgx.Rows) ([]job.Task, error) {
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (job.Task, error) {
		var t job.Task
		err := row.Scan(&t.JobID, &t.Index, &t.Dispatch, &t.Lane)
		return t, err
	})
}
