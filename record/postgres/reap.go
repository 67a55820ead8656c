package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Reap implements record.Record. It moves all images of a job in one
// transition.
func (r *Record) Reap(ctx context.Context, grace time.Duration, limit int) ([]job.Job, []job.Task, error) {
	args := pgx.NamedArgs{"age": grace, "limit": limit}
	found, err := r.find(ctx, "lapsed", args)
	if err != nil || len(found.jobs) == 0 {
		return nil, nil, err
	}
	args["idxs"] = found.idxs
	var tasks []job.Task
	jobs, err := r.moveFound(ctx, found, "reap", args, func(rows pgx.Rows) (ids []string, err error) {
		tasks, err = collectTasks(rows)
		for _, t := range tasks {
			ids = append(ids, t.JobID)
		}
		return ids, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("postgres: put images back: %w", err)
	}
	return jobs, tasks, nil
}

// Expire implements record.Record. Its limit counts jobs: all images of one job
// fail together.
func (r *Record) Expire(ctx context.Context, reason job.Error, limit int) ([]job.Job, error) {
	found, err := r.find(ctx, "overdue", pgx.NamedArgs{"limit": limit, "images": limit * job.MaxCount})
	if err != nil || len(found.jobs) == 0 {
		return nil, err
	}
	args := pgx.NamedArgs{"error_code": reason.Code, "error_message": reason.Message}
	jobs, err := r.moveFound(ctx, found, "expire", args, func(rows pgx.Rows) ([]string, error) {
		return pgx.CollectRows(rows, pgx.RowTo[string])
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: fail overdue images: %w", err)
	}
	return jobs, nil
}

// ExpireJob implements record.Record.
func (r *Record) ExpireJob(ctx context.Context, id string, reason job.Error) (job.Job, error) {
	j, _, err := r.runTransition(ctx, "expire", pgx.NamedArgs{
		"id": uuidArg(id), "jobs": []pgtype.UUID{uuidArg(id)}, "error_code": reason.Code, "error_message": reason.Message,
	}, "lock_labels", "lock_job")
	switch {
	case err != nil:
		return job.Job{}, fmt.Errorf("postgres: fail overdue images of job %s: %w", id, err)
	case j.ID == "":
		return job.Job{}, record.ErrNotFound
	}
	return j, nil
}

// found is a list of images to move. Each image has the same place in both
// slices.
type found struct {
	jobs []string
	idxs []int
}

// find looks for images to move, and mostly finds none. Afterwards they are
// moved under their models' locks, if they are still as they were found.
func (r *Record) find(ctx context.Context, statement string, args pgx.NamedArgs) (found, error) {
	var f found
	err := r.send(ctx, call{statement: statement, args: args, read: func(rows pgx.Rows) error {
		var id string
		var idx int
		_, err := pgx.ForEachRow(rows, []any{&id, &idx}, func() error {
			f.jobs, f.idxs = append(f.jobs, id), append(f.idxs, idx)
			return nil
		})
		return err
	}})
	if err != nil {
		return f, fmt.Errorf("postgres: look for images to move: %w", err)
	}
	return f, nil
}

// moveFound runs a statement that moves images of the jobs that were found. It
// returns the jobs whose images it did move. ids reads their ids from the rows
// that the statement returns.
func (r *Record) moveFound(ctx context.Context, f found, statement string, args pgx.NamedArgs,
	ids func(pgx.Rows) ([]string, error),
) ([]job.Job, error) {
	args["jobs"] = f.jobs
	var moved []string
	var jobs []job.Job
	err := r.send(ctx,
		call{statement: "lock_labels"},
		call{statement: "lock_jobs", args: args},
		call{statement: statement, args: args, read: func(rows pgx.Rows) (err error) {
			moved, err = ids(rows)
			return err
		}},
		call{statement: "read_jobs", args: args, read: func(rows pgx.Rows) (err error) {
			jobs, err = collectJobs(rows)
			return err
		}},
	)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(jobs, func(j job.Job) bool { return !slices.Contains(moved, j.ID) }), nil
}
