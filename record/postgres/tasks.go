package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
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

// Postpone implements record.Record.
func (r *Record) Postpone(ctx context.Context, t job.Task, lane string) (job.Task, error) {
	args := taskArgs(t)
	args["lane"] = lane
	var holder job.Status
	next := job.Task{Lane: lane}
	err := r.send(ctx,
		call{statement: "lock_holder", args: args},
		call{statement: "postpone", args: args, read: oneRow(&holder, &next.JobID, &next.Index, &next.Dispatch)},
	)
	if err != nil {
		return job.Task{}, fmt.Errorf("postgres: postpone task %s: %w", t.ID(), err)
	}
	switch holder {
	case job.StatusQueued:
		return next, nil
	case job.StatusProcessing:
		return job.Task{}, record.ErrHeld
	default:
		return job.Task{}, record.ErrNothingDue
	}
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
