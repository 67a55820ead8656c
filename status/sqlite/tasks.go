package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/status"
)

// holdsTaskSQL is true for the image that holds the task of taskArgs.
const holdsTaskSQL = `task_job_id = @task_job_id AND task_idx = @task_idx AND task_dispatch = @task_dispatch`

// nextTaskSQL gives an image the task of its next dispatch, on @lane.
const nextTaskSQL = `dispatch = dispatch + 1, task_job_id = job_id, task_idx = idx, task_dispatch = dispatch + 1,
    task_lane = @lane, task_sent = 0, task_at = @now`

// taskColumns are what scanTask reads.
const taskColumns = `task_job_id, task_idx, task_dispatch, task_lane`

func taskArgs(t job.Task) []any {
	return []any{
		sql.Named("task_job_id", t.JobID), sql.Named("task_idx", t.Index),
		sql.Named("task_dispatch", t.Dispatch), sql.Named("task_lane", t.Lane),
	}
}

func scanTask(row interface{ Scan(dest ...any) error }) (t job.Task, err error) {
	err = row.Scan(&t.JobID, &t.Index, &t.Dispatch, &t.Lane)
	return t, err
}

// queryTasks runs a statement that returns taskColumns.
func queryTasks(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]job.Task, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var tasks []job.Task
	for rows.Next() {
		t, err := scanTask(rows)
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, t)
	}
	return tasks, rows.Err()
}

// pending are the tasks held by a job's waiting images that are not known to be
// on a queue. After an exchange they may bear another image's name.
func pending(ctx context.Context, tx *sql.Tx, id string) ([]job.Task, error) {
	return queryTasks(ctx, tx, `
SELECT `+taskColumns+` FROM images
WHERE job_id = @id AND status = 'queued' AND NOT task_sent
ORDER BY idx`, sql.Named("id", id))
}

// Enqueued implements status.Store. It goes by the task and not by the image,
// since a delivery may have exchanged them in the meantime.
func (s *Store) Enqueued(ctx context.Context, tasks ...job.Task) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		for _, t := range tasks {
			_, err := tx.ExecContext(ctx, `UPDATE images SET task_sent = 1 WHERE `+holdsTaskSQL, taskArgs(t)...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sqlite: note %d tasks as enqueued: %w", len(tasks), err)
	}
	return nil
}

// Postpone implements status.Store. A claim that put the image back has had its
// last word by now: repeated, it would speak of a task that is gone.
func (s *Store) Postpone(ctx context.Context, t job.Task, lane string) (next job.Task, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		row := tx.QueryRowContext(ctx, `
UPDATE images SET claim = NULL, `+nextTaskSQL+`
WHERE `+holdsTaskSQL+` AND status = 'queued'
RETURNING `+taskColumns, append(taskArgs(t), sql.Named("lane", lane), sql.Named("now", s.now().UnixMicro()))...)
		next, err = scanTask(row)
		if errors.Is(err, sql.ErrNoRows) {
			return unheld(ctx, tx, t)
		}
		if err != nil {
			return err
		}
		return knowLanes(ctx, tx, lane)
	})
	if err != nil {
		return job.Task{}, fmt.Errorf("sqlite: postpone task %s: %w", t.ID(), err)
	}
	return next, nil
}

// unheld says why a task brings nothing: the image that holds it is being
// worked on, or needs it no more.
func unheld(ctx context.Context, tx *sql.Tx, t job.Task) error {
	const query = `SELECT EXISTS (SELECT 1 FROM images WHERE ` + holdsTaskSQL + ` AND status = 'processing')`
	var held bool
	if err := tx.QueryRowContext(ctx, query, taskArgs(t)...).Scan(&held); err != nil {
		return err
	}
	if held {
		return status.ErrHeld
	}
	return status.ErrNothingDue
}
