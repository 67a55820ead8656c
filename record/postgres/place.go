package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Postpone implements record.Record.
func (r *Record) Postpone(ctx context.Context, t job.Task, model string, to record.Place) (job.Task, error) {
	args := taskArgs(t)
	args["from"], args["model"], args["lane"] = model, to.Model, to.Lane
	var holder job.Status
	var of string
	next := job.Task{Lane: to.Lane}
	err := r.send(ctx, append(relabels(model, to.Model),
		call{statement: "lock_claim", args: args},
		call{statement: "postpone", args: args, read: oneRow(&holder, &of, &next.JobID, &next.Index, &next.Dispatch)},
	)...)
	if err != nil {
		return job.Task{}, fmt.Errorf("postgres: postpone task %s: %w", t.ID(), err)
	}
	if err := waits(holder, of, model); err != nil {
		return job.Task{}, err
	}
	return next, nil
}

// relabels returns the call that takes the lock of a change of models, if there is
// one.
func relabels(from, to string) []call {
	if from == to {
		return nil
	}
	return []call{{statement: "lock_relabel"}}
}

// Park implements record.Record.
func (r *Record) Park(ctx context.Context, t job.Task, model string) error {
	args := taskArgs(t)
	args["from"] = model
	var holder job.Status
	var of string
	err := r.send(ctx,
		call{statement: "lock_holder", args: args},
		call{statement: "park", args: args, read: oneRow(&holder, &of)},
	)
	if err != nil {
		return fmt.Errorf("postgres: park the image of task %s: %w", t.ID(), err)
	}
	return waits(holder, of, model)
}

// waits returns nil if the image that holds a task is a queued one of a model, or
// else the error that says what it is.
func waits(holder job.Status, of, model string) error {
	switch {
	case holder == "":
		return record.ErrNothingDue
	case holder != job.StatusQueued:
		return record.ErrHeld
	case of != model:
		return &record.ModelError{Model: of}
	}
	return nil
}

// Unpark implements record.Record.
func (r *Record) Unpark(ctx context.Context, model string, to []record.Place) (tasks []job.Task, err error) {
	if len(to) == 0 {
		return nil, nil
	}
	lanes := make([]string, len(to))
	for i, p := range to {
		lanes[i] = p.Lane
	}
	args := pgx.NamedArgs{"from": model, "model": to[0].Model, "models": []string{model, to[0].Model}, "lanes": lanes}
	err = r.send(ctx, append(relabels(model, to[0].Model),
		call{statement: "lock_models", args: args},
		call{statement: "unpark", args: args, read: func(rows pgx.Rows) (err error) {
			tasks, err = collectTasks(rows)
			return err
		}},
	)...)
	if err != nil {
		return nil, fmt.Errorf("postgres: unpark images of %s: %w", model, err)
	}
	return tasks, nil
}

// TasksOn implements record.Record.
func (r *Record) TasksOn(ctx context.Context, lane, model string, limit int) ([]job.Task, error) {
	tasks, err := r.queryTasks(ctx, "tasks_on", pgx.NamedArgs{"lane": lane, "model": model, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("postgres: find tasks on lane %s: %w", lane, err)
	}
	return tasks, nil
}

// Models implements record.Reporter.
func (r *Record) Models(ctx context.Context) (states []record.ModelState, err error) {
	err = r.send(ctx, call{statement: "models", read: readModels(&states)})
	if err != nil {
		return nil, fmt.Errorf("postgres: read what waits of each model: %w", err)
	}
	return states, nil
}

// readModels returns a function that reads the rows of models.
func readModels(states *[]record.ModelState) func(pgx.Rows) error {
	return func(rows pgx.Rows) (err error) {
		*states, err = pgx.CollectRows(rows, pgx.RowToStructByPos[record.ModelState])
		return err
	}
}
