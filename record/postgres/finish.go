package postgres

import (
	"context"
	"fmt"
	"maps"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// claimedSQL is the guard that every transition of a claim has.
const claimedSQL = `
    WHERE job_id = @id AND idx = @idx AND claim = @claim AND status = 'processing'
    RETURNING job_id, model, priority`

// endedSQL closes the update of an image that comes to its end, and begins that
// of its job.
const endedSQL = claimedSQL + `
)
UPDATE jobs SET version = version + 1, processing = processing - 1,
    completed_at = CASE WHEN queued + processing = 1 THEN now() END, `

const succeedSQL = `
WITH moved AS (
    UPDATE images SET
        status = 'succeeded', completed_at = now(),
        object_key = @object_key, content_type = @content_type, width = @width, height = @height,
        bytes = @bytes, sha256 = @sha256, model_version = @model_version, cost_micros = @cost_micros` + endedSQL + `
    succeeded = succeeded + 1
FROM moved WHERE id = job_id`

const failSQL = `
WITH moved AS (
    UPDATE images SET
        status = 'failed', completed_at = now(),
        error_code = @error_code, error_message = @error_message` + endedSQL + `
    failed = failed + 1
FROM moved WHERE id = job_id`

const requeueSQL = `
WITH moved AS (
    UPDATE images SET
        status = 'queued', attempts = attempts - CASE WHEN @give_back THEN 1 ELSE 0 END,
        dispatch = dispatch + 1, task_job_id = @id, task_idx = @idx, task_dispatch = dispatch + 1, task_lane = @lane,
        handed_out_at = now(), enqueued = false,
        ready = @after::interval <= interval '0', due_at = now() + @after::interval,
        error_code = @error_code, error_message = @error_message` + claimedSQL + `
), counted AS (
    UPDATE jobs j SET version = version + 1, processing = processing - 1, queued = queued + 1
    FROM moved m WHERE j.id = m.job_id
    RETURNING j.tenant, m.model, m.priority
), counted_tenant AS (
    UPDATE tenants t SET waiting = waiting + 1
    FROM counted c WHERE t.model = c.model AND t.priority = c.priority AND t.tenant = c.tenant
    RETURNING t.tenant
)
INSERT INTO lanes AS l (name, waiting) SELECT @lane, 1 FROM counted_tenant` + addWaitingSQL

// Succeed implements record.Record.
func (s *Store) Succeed(ctx context.Context, c record.Claim, r record.Success) (job.Job, error) {
	return s.finish(ctx, c, job.StatusSucceeded, noLockSQL, succeedSQL, pgx.NamedArgs{
		"object_key": r.Object.Key, "content_type": r.Object.ContentType,
		"width": r.Object.Width, "height": r.Object.Height, "bytes": r.Object.Bytes,
		"sha256": r.Object.SHA256, "model_version": r.Object.ModelVersion, "cost_micros": r.CostMicros,
	})
}

// Fail implements record.Record.
func (s *Store) Fail(ctx context.Context, c record.Claim, reason job.Error) (job.Job, error) {
	return s.finish(ctx, c, job.StatusFailed, noLockSQL, failSQL, pgx.NamedArgs{
		"error_code": reason.Code, "error_message": reason.Message,
	})
}

// Requeue implements record.Record.
func (s *Store) Requeue(ctx context.Context, c record.Claim, r record.Requeue) (job.Job, job.Task, error) {
	args := pgx.NamedArgs{
		"lane": r.Lane, "after": r.After, "give_back": r.GiveBack, "error_code": nil, "error_message": nil,
	}
	if r.Reason != nil {
		args["error_code"], args["error_message"] = r.Reason.Code, r.Reason.Message
	}
	j, err := s.finish(ctx, c, job.StatusQueued, lockJobSQL, requeueSQL, args)
	if err != nil {
		return job.Job{}, job.Task{}, err
	}
	return j, c.NextTask(r.Lane), nil
}

// finish runs a transition that ends the claim. One that has happened already,
// under the same claim, counts as done: the answer to the first call may have
// been lost on its way.
func (s *Store) finish(
	ctx context.Context, c record.Claim, to job.Status, lock, sql string, args pgx.NamedArgs,
) (job.Job, error) {
	maps.Copy(args, claimArgs(c))
	j, changed, err := s.transition(ctx, lock, sql, args)
	if err == nil && !changed {
		changed, err = s.finished(ctx, c, to)
	}
	switch {
	case err != nil:
		return job.Job{}, fmt.Errorf("postgres: move image %s/%d to %s: %w", c.Job.ID, c.Index, to, err)
	case !changed:
		return job.Job{}, record.ErrClaimLost
	}
	return j, nil
}

// finished reports whether the claim moved its image to a state, and nothing
// has moved it since.
func (s *Store) finished(ctx context.Context, c record.Claim, to job.Status) (bool, error) {
	const query = `
SELECT EXISTS (SELECT FROM images WHERE job_id = @id AND idx = @idx AND claim = @claim AND status = @to)`
	args := claimArgs(c)
	args["to"] = to
	var done bool
	err := s.pool.QueryRow(ctx, query, args).Scan(&done)
	return done, err
}
