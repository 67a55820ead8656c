package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
)

// Both of these first look for images, which mostly finds none, and then move
// them under their models' locks if they still are as they were found.
const (
	lapsedSQL = `
SELECT job_id::text, idx, model FROM images
WHERE status = 'processing' AND due_at <= now() - @age::interval
ORDER BY due_at, job_id, idx LIMIT @limit`

	reapSQL = `
WITH ending AS (
    SELECT i.job_id, i.idx FROM images i
    JOIN unnest(@jobs::uuid[], @idxs::int[]) AS found (job_id, idx) ON i.job_id = found.job_id AND i.idx = found.idx
    WHERE i.status = 'processing' AND i.due_at <= now() - @age::interval
    ORDER BY i.job_id, i.idx FOR UPDATE OF i
), moved AS (
    UPDATE images i SET
        status = 'queued', ready = true, due_at = now(), claim = NULL,
        dispatch = dispatch + 1, task_job_id = i.job_id, task_idx = i.idx, task_dispatch = dispatch + 1,
        handed_out_at = now(), enqueued = false
    FROM ending e WHERE i.job_id = e.job_id AND i.idx = e.idx
    RETURNING i.job_id, i.idx, i.dispatch, i.task_lane, i.model, i.priority
), summed AS (
    SELECT job_id, model, priority, count(*) AS reaped FROM moved GROUP BY job_id, model, priority
), ordered AS (
    SELECT j.id FROM jobs j JOIN summed ON j.id = job_id ORDER BY j.id FOR UPDATE OF j
), counted AS (
    UPDATE jobs j SET version = version + 1, queued = queued + reaped, processing = processing - reaped
    FROM ordered o JOIN summed s ON s.job_id = o.id WHERE j.id = o.id
    RETURNING j.id, j.tenant, s.model, s.priority, s.reaped
), counted_tenants AS (
    UPDATE tenants t SET waiting = waiting + c.reaped
    FROM (
        SELECT model, priority, tenant, sum(reaped) AS reaped FROM counted GROUP BY model, priority, tenant
    ) AS c
    WHERE t.model = c.model AND t.priority = c.priority AND t.tenant = c.tenant
), counted_lanes AS (
    INSERT INTO lanes AS l (name, waiting)
    SELECT m.task_lane, count(*) FROM moved m JOIN counted c ON c.id = m.job_id
    GROUP BY m.task_lane ORDER BY m.task_lane` + addWaitingSQL + `
)
SELECT job_id::text, idx, dispatch, task_lane FROM moved ORDER BY job_id, idx`

	overdueSQL = `
SELECT job_id::text, min(idx), min(model) FROM (
    SELECT job_id, idx, model FROM images
    WHERE expires_at <= now() AND (status = 'queued' OR status = 'processing' AND due_at <= now())
    ORDER BY expires_at LIMIT @images
) AS images
GROUP BY job_id LIMIT @limit`

	expireSQL = `
WITH ending AS (
    SELECT job_id, idx, status FROM images
    WHERE job_id = ANY (@jobs::uuid[]) AND expires_at <= now()
      AND (status = 'queued' OR status = 'processing' AND due_at <= now())
    ORDER BY job_id, idx FOR UPDATE` + endSQL
)

// Reap implements record.Record. Of several images of a job it makes one
// transition.
func (s *Store) Reap(ctx context.Context, grace time.Duration, limit int) ([]job.Job, []job.Task, error) {
	args := pgx.NamedArgs{"age": grace, "limit": limit}
	found, err := s.find(ctx, lapsedSQL, args)
	if err != nil || len(found.jobs) == 0 {
		return nil, nil, err
	}
	args["idxs"] = found.idxs
	var tasks []job.Task
	jobs, err := s.moveFound(ctx, found, reapSQL, args, func(rows pgx.Rows) (ids []string, err error) {
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

// Expire implements record.Record. Its limit is of jobs: one job's images fail
// together.
func (s *Store) Expire(ctx context.Context, reason job.Error, limit int) ([]job.Job, error) {
	found, err := s.find(ctx, overdueSQL, pgx.NamedArgs{"limit": limit, "images": limit * job.MaxCount})
	if err != nil || len(found.jobs) == 0 {
		return nil, err
	}
	args := pgx.NamedArgs{"to": job.StatusFailed, "error_code": reason.Code, "error_message": reason.Message}
	jobs, err := s.moveFound(ctx, found, expireSQL, args, func(rows pgx.Rows) ([]string, error) {
		return pgx.CollectRows(rows, pgx.RowTo[string])
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: fail overdue images: %w", err)
	}
	return jobs, nil
}

// found are images to be moved, a place of each list for each.
type found struct {
	jobs   []string
	idxs   []int
	models []string
}

func (s *Store) find(ctx context.Context, sql string, args pgx.NamedArgs) (found, error) {
	var f found
	rows, err := s.pool.Query(ctx, sql, args)
	if err != nil {
		return f, fmt.Errorf("postgres: look for images to move: %w", err)
	}
	var id, model string
	var idx int
	_, err = pgx.ForEachRow(rows, []any{&id, &idx, &model}, func() error {
		f.jobs, f.idxs, f.models = append(f.jobs, id), append(f.idxs, idx), append(f.models, model)
		return nil
	})
	if err != nil {
		return f, fmt.Errorf("postgres: look for images to move: %w", err)
	}
	return f, nil
}

// moveFound runs a statement that moves images of the jobs that were found, and
// returns those that it did move. ids reads their ids from what it returns.
func (s *Store) moveFound(ctx context.Context, f found, sql string, args pgx.NamedArgs,
	ids func(pgx.Rows) ([]string, error),
) ([]job.Job, error) {
	args["jobs"], args["models"] = f.jobs, f.models
	var moved []string
	var jobs []job.Job
	var batch pgx.Batch
	batch.Queue(lockModelsSQL, args)
	batch.Queue(sql, args).Query(func(rows pgx.Rows) (err error) {
		moved, err = ids(rows)
		return err
	})
	batch.Queue(readManySQL, args).Query(func(rows pgx.Rows) (err error) {
		jobs, err = collectJobs(rows)
		return err
	})
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(jobs, func(j job.Job) bool { return !slices.Contains(moved, j.ID) }), nil
}
