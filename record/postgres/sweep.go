package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Those two return tasks and stamp the images that hold them, so that they are
// not found again until another age has passed. They pass over what is locked,
// and so wait for nobody and need no model's lock.
const (
	unsentSQL = `
WITH found AS (
    SELECT job_id, idx, handed_out_at AS since FROM images
    WHERE status = 'queued' AND NOT enqueued AND handed_out_at <= now() - @age::interval
    ORDER BY handed_out_at, job_id, idx
    LIMIT @limit FOR UPDATE SKIP LOCKED
), stamped AS (
    UPDATE images i SET handed_out_at = now()` + stampedSQL

	unheardSQL = `
WITH found AS (
    SELECT job_id, idx, due_at AS since FROM images
    WHERE status = 'queued' AND due_at <= now() - @age::interval
    ORDER BY due_at, job_id, idx
    LIMIT @limit FOR UPDATE SKIP LOCKED
), stamped AS (
    UPDATE images i SET due_at = now()` + stampedSQL

	stampedSQL = `
    FROM found f WHERE i.job_id = f.job_id AND i.idx = f.idx
    RETURNING f.since, i.job_id, i.idx, i.task_job_id, i.task_idx, i.task_dispatch, i.task_lane
)
SELECT task_job_id::text, task_idx, task_dispatch, task_lane FROM stamped ORDER BY since, job_id, idx`
)

// Unsent implements record.Record.
func (s *Store) Unsent(ctx context.Context, age time.Duration, limit int) ([]job.Task, error) {
	tasks, err := s.tasks(ctx, unsentSQL, pgx.NamedArgs{"age": age, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("postgres: find tasks that were not sent: %w", err)
	}
	return tasks, nil
}

// Unheard implements record.Record.
func (s *Store) Unheard(ctx context.Context, age time.Duration, limit int) ([]job.Task, error) {
	tasks, err := s.tasks(ctx, unheardSQL, pgx.NamedArgs{"age": age, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("postgres: find tasks that were not heard of: %w", err)
	}
	return tasks, nil
}

// Retired implements record.Record.
func (s *Store) Retired(ctx context.Context, age time.Duration, limit int) ([]job.Job, error) {
	const query = readColumnsSQL + `
FROM (
    SELECT id FROM jobs WHERE completed_at <= now() - @age::interval ORDER BY completed_at, id LIMIT @limit
) AS page JOIN jobs j ON j.id = page.id JOIN images i ON i.job_id = j.id
ORDER BY j.completed_at, j.id, i.idx`
	rows, err := s.pool.Query(ctx, query, pgx.NamedArgs{"age": age, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("postgres: find retired jobs: %w", err)
	}
	jobs, err := collectJobs(rows)
	if err != nil {
		return nil, fmt.Errorf("postgres: find retired jobs: %w", err)
	}
	return jobs, nil
}

// Delete implements record.Record.
func (s *Store) Delete(ctx context.Context, id string) error {
	const query = `
WITH deleted AS (
    DELETE FROM jobs WHERE id = @id AND completed_at IS NOT NULL
)
SELECT EXISTS (SELECT FROM jobs WHERE id = @id) -- as it was before`
	var existed bool
	err := s.pool.QueryRow(ctx, query, pgx.NamedArgs{"id": uuidArg(id)}).Scan(&existed)
	switch {
	case err != nil:
		return fmt.Errorf("postgres: delete job %s: %w", id, err)
	case !existed:
		return record.ErrNotFound
	}
	return nil
}
