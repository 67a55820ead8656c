package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/status"
)

// Succeed implements status.Store.
func (s *Store) Succeed(ctx context.Context, c status.Claim, r status.Success) (j job.Job, err error) {
	const set = `completed_at = @now, object_key = @object_key, content_type = @content_type,
    width = @width, height = @height, bytes = @bytes, sha256 = @sha256, model_version = @model_version,
    cost_micros = @cost_micros`
	o := r.Object
	err = s.write(ctx, func(tx *sql.Tx) error {
		j, err = s.finish(ctx, tx, c, job.StatusSucceeded, set,
			sql.Named("object_key", o.Key), sql.Named("content_type", o.ContentType),
			sql.Named("width", o.Width), sql.Named("height", o.Height), sql.Named("bytes", o.Bytes),
			sql.Named("sha256", o.SHA256), sql.Named("model_version", o.ModelVersion),
			sql.Named("cost_micros", r.CostMicros))
		return err
	})
	return j, finishError(c, job.StatusSucceeded, err)
}

// Fail implements status.Store.
func (s *Store) Fail(ctx context.Context, c status.Claim, reason job.Error) (j job.Job, err error) {
	const set = `completed_at = @now, error_code = @error_code, error_message = @error_message`
	err = s.write(ctx, func(tx *sql.Tx) error {
		j, err = s.finish(ctx, tx, c, job.StatusFailed, set, errorArgs(&reason)...)
		return err
	})
	return j, finishError(c, job.StatusFailed, err)
}

// Requeue implements status.Store.
func (s *Store) Requeue(ctx context.Context, c status.Claim, r status.Requeue) (j job.Job, t job.Task, err error) {
	const set = `attempts = attempts - @give_back, ready = @ready, due_at = @due_at, heard_at = @due_at,
    error_code = @error_code, error_message = @error_message, ` + nextTaskSQL
	err = s.write(ctx, func(tx *sql.Tx) error {
		args := append(errorArgs(r.Reason), sql.Named("give_back", r.GiveBack), sql.Named("lane", r.Lane),
			sql.Named("ready", r.After <= 0), sql.Named("due_at", s.now().Add(max(0, r.After)).UnixMicro()))
		if j, err = s.finish(ctx, tx, c, job.StatusQueued, set, args...); err != nil {
			return err
		}
		t = c.NextTask(r.Lane)
		return knowLanes(ctx, tx, r.Lane)
	})
	return j, t, finishError(c, job.StatusQueued, err)
}

func errorArgs(e *job.Error) []any {
	var code, message sql.NullString
	if e != nil {
		code = sql.NullString{String: string(e.Code), Valid: true}
		message = sql.NullString{String: e.Message, Valid: true}
	}
	return []any{sql.Named("error_code", code), sql.Named("error_message", message)}
}

func finishError(c status.Claim, to job.Status, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sqlite: move image %s/%d to %s: %w", c.Job.ID, c.Index, to, err)
}

// finish ends the claim and moves its image to a state, with what else set
// says. Where that has happened already, under the same claim, it counts as
// done: the answer to the first call may have been lost on its way.
func (s *Store) finish(
	ctx context.Context, tx *sql.Tx, c status.Claim, to job.Status, set string, args ...any,
) (job.Job, error) {
	now := s.now().UnixMicro()
	args = append(args, claimArgs(c)...)
	args = append(args, sql.Named("to", to), sql.Named("now", now))
	moved, err := changed(tx.ExecContext(ctx, `UPDATE images SET status = @to, `+set+` WHERE `+claimedSQL, args...))
	if err != nil {
		return job.Job{}, err
	}
	if moved {
		return counted(ctx, tx, c.Job.ID, now)
	}
	if err := finished(ctx, tx, c, to); err != nil {
		return job.Job{}, err
	}
	return read(ctx, tx, c.Job.ID)
}

// finished fails with ErrClaimLost unless the claim moved its image to a
// state, and nothing has moved it since.
func finished(ctx context.Context, tx *sql.Tx, c status.Claim, to job.Status) error {
	const query = `
SELECT EXISTS (SELECT 1 FROM images WHERE job_id = @id AND idx = @idx AND claim = @claim AND status = @to)`
	var done bool
	if err := tx.QueryRowContext(ctx, query, append(claimArgs(c), sql.Named("to", to))...).Scan(&done); err != nil {
		return err
	}
	if !done {
		return status.ErrClaimLost
	}
	return nil
}

// Cancel implements status.Store.
func (s *Store) Cancel(ctx context.Context, id string) (j job.Job, err error) {
	now := s.now().UnixMicro()
	err = s.write(ctx, func(tx *sql.Tx) error {
		moved, err := changed(tx.ExecContext(ctx, `
UPDATE images SET
    status = 'canceled', ready = 0, completed_at = @now, error_code = NULL, error_message = NULL
WHERE job_id = @id AND status IN ('queued', 'processing')`, sql.Named("id", id), sql.Named("now", now)))
		switch {
		case err != nil:
			return err
		case moved:
			j, err = counted(ctx, tx, id, now)
		default:
			j, err = read(ctx, tx, id)
		}
		return err
	})
	if err != nil {
		return job.Job{}, fmt.Errorf("sqlite: cancel job %s: %w", id, err)
	}
	return j, nil
}

// counted ends a transition: it makes the job's next version of what its images
// are by now, and returns that.
func counted(ctx context.Context, tx *sql.Tx, id string, now int64) (job.Job, error) {
	_, err := tx.ExecContext(ctx, `
UPDATE jobs SET
    version = version + 1,
    (queued, processing, succeeded, failed, canceled, started_at, completed_at) = (
        SELECT sum(status = 'queued'), sum(status = 'processing'), sum(status = 'succeeded'),
               sum(status = 'failed'), sum(status = 'canceled'),
               coalesce(jobs.started_at, min(i.started_at)),
               iif(max(status IN ('queued', 'processing')), NULL, @now)
        FROM images i WHERE job_id = @id)
WHERE id = @id`, sql.Named("id", id), sql.Named("now", now))
	if err != nil {
		return job.Job{}, err
	}
	return read(ctx, tx, id)
}
