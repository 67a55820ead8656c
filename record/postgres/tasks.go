package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Enqueued implements record.Record. It goes by the task and not by the image,
// since a delivery may have exchanged them in the meantime.
func (s *Store) Enqueued(ctx context.Context, tasks ...job.Task) error {
	const query = `
UPDATE images i SET enqueued = true
FROM unnest(@jobs::uuid[], @idxs::int[], @dispatches::int[]) AS t (job_id, idx, dispatch)
WHERE i.task_job_id = t.job_id AND i.task_idx = t.idx AND i.task_dispatch = t.dispatch
  AND i.status IN ('queued', 'processing') AND NOT i.enqueued`
	jobs := make([]pgtype.UUID, len(tasks))
	idxs, dispatches := make([]int, len(tasks)), make([]int, len(tasks))
	for i, t := range tasks {
		jobs[i], idxs[i], dispatches[i] = uuidArg(t.JobID), t.Index, t.Dispatch
	}
	args := pgx.NamedArgs{"jobs": jobs, "idxs": idxs, "dispatches": dispatches}
	var batch pgx.Batch
	batch.Queue(lockTasksSQL, args)
	batch.Queue(query, args)
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("postgres: note %d tasks as enqueued: %w", len(tasks), err)
	}
	return nil
}

// postponeSQL returns one row in any case: what the image that holds the task
// is, and its next task if it was given one. One whose time has come with the
// task that it gives away waits for it no longer.
const postponeSQL = `
WITH held AS (
    SELECT job_id, idx, status, task_lane FROM images WHERE ` + holdsTaskSQL + ` LIMIT 1 FOR UPDATE
), moved AS (
    UPDATE images i SET
        dispatch = dispatch + 1, task_job_id = i.job_id, task_idx = i.idx, task_dispatch = dispatch + 1,
        task_lane = @lane, handed_out_at = now(), enqueued = false, ready = ready OR due_at <= now()
    FROM held h WHERE i.job_id = h.job_id AND i.idx = h.idx AND h.status = 'queued'
    RETURNING i.job_id, i.idx, i.dispatch, h.task_lane AS from_lane
), counted_lanes AS (
    INSERT INTO lanes AS l (name, waiting)
    SELECT name, sum(n) FROM (
        SELECT from_lane AS name, -1 AS n FROM moved UNION ALL SELECT @lane, 1 FROM moved
    ) AS changes
    GROUP BY name ORDER BY name` + addWaitingSQL + `
)
SELECT coalesce(h.status, ''), coalesce(m.job_id::text, ''), coalesce(m.idx, 0), coalesce(m.dispatch, 0)
FROM (VALUES (1)) AS always LEFT JOIN held h ON true LEFT JOIN moved m ON true`

// Postpone implements record.Record.
func (s *Store) Postpone(ctx context.Context, t job.Task, lane string) (job.Task, error) {
	args := taskArgs(t)
	args["lane"] = lane
	var holder job.Status
	next := job.Task{Lane: lane}
	var batch pgx.Batch
	batch.Queue(lockHolderSQL, args)
	batch.Queue(postponeSQL, args).QueryRow(func(row pgx.Row) error {
		return row.Scan(&holder, &next.JobID, &next.Index, &next.Dispatch)
	})
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
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

// holdsTaskSQL is true for the image that holds a task. One that has ended
// holds none: what task it had last is nobody's.
const holdsTaskSQL = `task_job_id = @task_job_id AND task_idx = @task_idx AND task_dispatch = @task_dispatch
      AND status IN ('queued', 'processing')`

func taskArgs(t job.Task) pgx.NamedArgs {
	return pgx.NamedArgs{"task_job_id": uuidArg(t.JobID), "task_idx": t.Index, "task_dispatch": t.Dispatch}
}

// tasks runs a statement that returns tasks.
func (s *Store) tasks(ctx context.Context, sql string, args pgx.NamedArgs) ([]job.Task, error) {
	rows, err := s.pool.Query(ctx, sql, args)
	if err != nil {
		return nil, err
	}
	return collectTasks(rows)
}

func collectTasks(rows pgx.Rows) ([]job.Task, error) {
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (job.Task, error) {
		var t job.Task
		err := row.Scan(&t.JobID, &t.Index, &t.Dispatch, &t.Lane)
		return t, err
	})
}
