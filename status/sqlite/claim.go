package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/status"
)

// A place is an image with what a claim has to know of it.
type place struct {
	turn

	task   job.Task
	sent   bool
	sentAt int64
}

// Claim implements status.Store.
func (s *Store) Claim(ctx context.Context, r status.ClaimRequest) (c status.Claim, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		if err := s.usable(ctx, tx, r.Task.Lane); err != nil {
			return err
		}
		p, err := s.pick(ctx, tx, r)
		if err != nil {
			return err
		}
		if err := exchange(ctx, tx, p, r.Task); err != nil {
			return err
		}
		if err := moveOn(ctx, tx, p.turn); err != nil {
			return err
		}
		c, err = s.take(ctx, tx, p, r)
		return err
	})
	if err != nil {
		return status.Claim{}, fmt.Errorf("sqlite: claim for task %s: %w", r.Task.ID(), err)
	}
	return c, nil
}

// pick chooses between the first image that any delivery may bring a slot, and
// the one that this delivery was for.
func (s *Store) pick(ctx context.Context, tx *sql.Tx, r status.ClaimRequest) (place, error) {
	first, err := findPlace(ctx, tx, `
WHERE ready AND model = @model
ORDER BY low, start_tag, recorded_at, job_id, idx`, sql.Named("model", r.Model))
	anyone := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return place{}, err
	}
	own, err := findPlace(ctx, tx, `
WHERE `+holdsTaskSQL+` AND (status = 'queued' OR status = 'processing' AND due_at <= @now)`,
		append(taskArgs(r.Task), sql.Named("now", s.now().UnixMicro()))...)
	switch {
	case errors.Is(err, sql.ErrNoRows) && anyone:
		return first, nil
	case errors.Is(err, sql.ErrNoRows):
		return place{}, unheld(ctx, tx, r.Task)
	case err != nil:
		return place{}, err
	case anyone && first.before(own.turn):
		return first, nil
	}
	return own, nil
}

// findPlace returns the first image that where says, or sql.ErrNoRows.
func findPlace(ctx context.Context, tx *sql.Tx, where string, args ...any) (p place, err error) {
	row := tx.QueryRowContext(ctx, `
SELECT job_id, idx, model, low, start_tag, recorded_at, `+taskColumns+`, task_sent, task_at FROM images `+where+`
LIMIT 1`, args...)
	err = row.Scan(&p.jobID, &p.idx, &p.model, &p.low, &p.tag, &p.recordedAt,
		&p.task.JobID, &p.task.Index, &p.task.Dispatch, &p.task.Lane, &p.sent, &p.sentAt)
	return p, err
}

// exchange gives p's task to the image that holds the delivered one. What is
// known of the task goes with it.
func exchange(ctx context.Context, tx *sql.Tx, p place, delivered job.Task) error {
	args := append(taskArgs(delivered), sql.Named("own_job_id", p.task.JobID), sql.Named("own_idx", p.task.Index),
		sql.Named("own_dispatch", p.task.Dispatch), sql.Named("own_lane", p.task.Lane),
		sql.Named("own_sent", p.sent), sql.Named("own_at", p.sentAt))
	_, err := tx.ExecContext(ctx, `
UPDATE images SET
    task_job_id = @own_job_id, task_idx = @own_idx, task_dispatch = @own_dispatch, task_lane = @own_lane,
    task_sent = @own_sent, task_at = @own_at
WHERE `+holdsTaskSQL, args...)
	return err
}

// take makes p the claimant's, with the delivered task.
func (s *Store) take(ctx context.Context, tx *sql.Tx, p place, r status.ClaimRequest) (status.Claim, error) {
	c := status.Claim{Token: uuid.NewString(), Index: p.idx}
	now := s.now()
	args := append(taskArgs(r.Task), sql.Named("id", p.jobID), sql.Named("idx", p.idx), sql.Named("claim", c.Token),
		sql.Named("now", now.UnixMicro()), sql.Named("until", now.Add(r.Lease).UnixMicro()))
	var claims int
	err := tx.QueryRowContext(ctx, `
UPDATE images SET
    status = 'processing', ready = 0, attempts = attempts + 1, claims = claims + 1, claim = @claim, due_at = @until,
    task_job_id = @task_job_id, task_idx = @task_idx, task_dispatch = @task_dispatch, task_lane = @task_lane,
    task_sent = 1, task_at = @now,
    started_at = @now, error_code = NULL, error_message = NULL
WHERE job_id = @id AND idx = @idx
RETURNING dispatch, claims`, args...).Scan(&c.Dispatch, &claims)
	if err != nil {
		return status.Claim{}, err
	}
	c.Reclaimed = claims > 1
	c.Job, err = counted(ctx, tx, p.jobID, now.UnixMicro())
	return c, err
}

// Renew implements status.Store.
func (s *Store) Renew(ctx context.Context, c status.Claim, lease time.Duration) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		held, err := changed(tx.ExecContext(ctx, `UPDATE images SET due_at = @until WHERE `+claimedSQL,
			append(claimArgs(c), sql.Named("until", s.now().Add(lease).UnixMicro()))...))
		if err == nil && !held {
			return status.ErrClaimLost
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("sqlite: renew the lease of image %s/%d: %w", c.Job.ID, c.Index, err)
	}
	return nil
}

// claimedSQL is the guard of every transition of a claim: true for its image
// while the claim holds.
const claimedSQL = `job_id = @id AND idx = @idx AND claim = @claim AND status = 'processing'`

func claimArgs(c status.Claim) []any {
	return []any{sql.Named("id", c.Job.ID), sql.Named("idx", c.Index), sql.Named("claim", c.Token)}
}

// changed reports whether a statement changed a row.
func changed(r sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n > 0, err
}
