package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/status"
)

// Unsent implements status.Sweeper. To return a task is to hand it out again.
func (s *Store) Unsent(ctx context.Context, age time.Duration, limit int) ([]job.Task, error) {
	const find = `
SELECT ` + taskColumns + ` FROM images
WHERE status = 'queued' AND NOT task_sent AND task_at <= @before
ORDER BY task_at LIMIT @limit`
	tasks, err := s.stamp(ctx, age, limit, find, `UPDATE images SET task_at = @now WHERE `+holdsTaskSQL)
	if err != nil {
		return nil, fmt.Errorf("sqlite: find tasks that were not sent: %w", err)
	}
	return tasks, nil
}

// Unheard implements status.Sweeper.
func (s *Store) Unheard(ctx context.Context, age time.Duration, limit int) ([]job.Task, error) {
	const find = `
SELECT ` + taskColumns + ` FROM images
WHERE status = 'queued' AND heard_at <= @before
ORDER BY heard_at LIMIT @limit`
	tasks, err := s.stamp(ctx, age, limit, find, `UPDATE images SET heard_at = @now WHERE `+holdsTaskSQL)
	if err != nil {
		return nil, fmt.Errorf("sqlite: find tasks that do not come: %w", err)
	}
	return tasks, nil
}

// stamp finds tasks and marks the images that hold them with the time, so that
// they are not found again until later.
func (s *Store) stamp(
	ctx context.Context, age time.Duration, limit int, find, mark string,
) (tasks []job.Task, err error) {
	now := s.now()
	err = s.write(ctx, func(tx *sql.Tx) error {
		tasks, err = queryTasks(ctx, tx, find,
			sql.Named("before", now.Add(-age).UnixMicro()), sql.Named("limit", limit))
		if err != nil {
			return err
		}
		for _, t := range tasks {
			_, err := tx.ExecContext(ctx, mark, append(taskArgs(t), sql.Named("now", now.UnixMicro()))...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return tasks, err
}

// Reap implements status.Sweeper. The claim is over and can put nothing back.
func (s *Store) Reap(
	ctx context.Context, grace time.Duration, limit int,
) (jobs []job.Job, tasks []job.Task, err error) {
	now := s.now()
	err = s.write(ctx, func(tx *sql.Tx) error {
		dead, err := queryTasks(ctx, tx, `
SELECT job_id, idx, dispatch, task_lane FROM images
WHERE status = 'processing' AND due_at <= @before
ORDER BY due_at LIMIT @limit`,
			sql.Named("before", now.Add(-grace).UnixMicro()), sql.Named("limit", limit))
		if err != nil {
			return err
		}
		for _, d := range dead {
			t, err := scanTask(tx.QueryRowContext(ctx, `
UPDATE images SET status = 'queued', ready = 1, claim = NULL, due_at = @now, heard_at = @now, `+nextTaskSQL+`
WHERE job_id = @id AND idx = @idx
RETURNING `+taskColumns, sql.Named("id", d.JobID), sql.Named("idx", d.Index), sql.Named("lane", d.Lane),
				sql.Named("now", now.UnixMicro())))
			if err != nil {
				return err
			}
			tasks = append(tasks, t)
		}
		jobs, err = each(jobsOf(dead), func(id string) (job.Job, error) { return counted(ctx, tx, id, now.UnixMicro()) })
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("sqlite: put back images whose lease ran out: %w", err)
	}
	return jobs, tasks, nil
}

// Expire implements status.Sweeper.
func (s *Store) Expire(ctx context.Context, reason job.Error, limit int) (jobs []job.Job, err error) {
	now := s.now().UnixMicro()
	const open = `(status = 'queued' OR status = 'processing' AND due_at <= @now)`
	err = s.write(ctx, func(tx *sql.Tx) error {
		ids, err := queryIDs(ctx, tx, `
SELECT id FROM jobs
WHERE completed_at IS NULL AND expires_at <= @now AND EXISTS (SELECT 1 FROM images WHERE job_id = id AND `+open+`)
ORDER BY expires_at LIMIT @limit`, sql.Named("now", now), sql.Named("limit", limit))
		if err != nil {
			return err
		}
		jobs, err = each(ids, func(id string) (job.Job, error) {
			_, err := tx.ExecContext(ctx, `
UPDATE images SET
    status = 'failed', ready = 0, claim = NULL, completed_at = @now,
    error_code = @error_code, error_message = @error_message
WHERE job_id = @id AND `+open, append(errorArgs(&reason), sql.Named("id", id), sql.Named("now", now))...)
			if err != nil {
				return job.Job{}, err
			}
			return counted(ctx, tx, id, now)
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sqlite: fail jobs past their deadline: %w", err)
	}
	return jobs, nil
}

// Retired implements status.Sweeper.
func (s *Store) Retired(ctx context.Context, age time.Duration, limit int) (jobs []job.Job, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		ids, err := queryIDs(ctx, tx, `
SELECT id FROM jobs
WHERE completed_at <= @before
ORDER BY completed_at, id LIMIT @limit`,
			sql.Named("before", s.now().Add(-age).UnixMicro()), sql.Named("limit", limit))
		if err != nil {
			return err
		}
		jobs, err = each(ids, func(id string) (job.Job, error) { return read(ctx, tx, id) })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sqlite: find jobs past their retention: %w", err)
	}
	return jobs, nil
}

// Delete implements status.Sweeper.
func (s *Store) Delete(ctx context.Context, id string) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		var ended bool
		err := tx.QueryRowContext(ctx, `SELECT completed_at IS NOT NULL FROM jobs WHERE id = @id`, sql.Named("id", id)).
			Scan(&ended)
		if errors.Is(err, sql.ErrNoRows) {
			return status.ErrNotFound
		}
		if err != nil || !ended {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM jobs WHERE id = @id`, sql.Named("id", id))
		return err
	})
	if err != nil {
		return fmt.Errorf("sqlite: delete job %s: %w", id, err)
	}
	return nil
}

func queryIDs(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]string, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// jobsOf names the jobs of images, each once.
func jobsOf(images []job.Task) []string {
	var ids []string
	for _, i := range images {
		if !slices.Contains(ids, i.JobID) {
			ids = append(ids, i.JobID)
		}
	}
	return ids
}

// each collects what f makes of every job.
func each(ids []string, f func(id string) (job.Job, error)) ([]job.Job, error) {
	var jobs []job.Job
	for _, id := range ids {
		j, err := f(id)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}
