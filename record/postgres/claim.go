package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// claimSQL takes the image whose turn it is: the first that is ready, or the
// one that holds the delivered task if that comes before it. It exchanges its
// task with the delivered one's holder. It runs under the model's lock. It
// returns one row in any case: what it took, what the image that held the task
// was before, and the lane if that is paused.
//
// A ready image that is locked is just being looked at by the sweep, so it is
// passed over. The holder is waited for. Images are locked before jobs, as
// everywhere: claimed names holder only for that.
//
// One image less waits, and one task less is waited for. Which lane's that is
// follows from the exchange: the delivered one's if its holder goes on waiting,
// with the other task; else that of the image that was taken.
const claimSQL = `
WITH paused AS (
    SELECT ` + laneColumnsSQL + `, paused_until - now() AS remains FROM lanes WHERE name = @lane AND paused_until > now()
), turn AS (
    SELECT ` + candidateColumnsSQL + ` FROM images
    WHERE model = @model AND status = 'queued' AND ready AND NOT EXISTS (SELECT FROM paused)
    ORDER BY ` + turnSQL + `
    LIMIT 1 FOR UPDATE SKIP LOCKED
), own AS (
    SELECT ` + candidateColumnsSQL + ` FROM images
    WHERE ` + holdsTaskSQL + ` AND (status = 'queued' OR due_at <= now()) AND NOT EXISTS (SELECT FROM paused)
    LIMIT 1 FOR UPDATE
), picked AS (
    SELECT ` + candidateColumnsSQL + ` FROM (TABLE turn UNION ALL TABLE own) AS candidates ORDER BY ` + turnSQL + ` LIMIT 1
), holder AS (
    SELECT job_id, idx, status, task_lane FROM images
    WHERE ` + holdsTaskSQL + ` AND (job_id, idx) <> (SELECT job_id, idx FROM picked)
    LIMIT 1 FOR UPDATE
), exchanged AS (
    UPDATE images i SET
        task_job_id = p.task_job_id, task_idx = p.task_idx, task_dispatch = p.task_dispatch, task_lane = p.task_lane,
        handed_out_at = p.handed_out_at, enqueued = p.enqueued, ready = ready OR due_at <= now()
    FROM picked p, holder h
    WHERE i.job_id = h.job_id AND i.idx = h.idx
), claimed AS (
    UPDATE images i SET
        status = 'processing', attempts = i.attempts + 1, claims = i.claims + 1,
        claim = @claim, due_at = clock_timestamp() + @lease::interval,
        task_job_id = @task_job_id, task_idx = @task_idx, task_dispatch = @task_dispatch, task_lane = @lane,
        enqueued = true, started_at = now(), error_code = NULL, error_message = NULL
    FROM picked p LEFT JOIN holder h ON true
    WHERE i.job_id = p.job_id AND i.idx = p.idx
    RETURNING i.job_id, i.idx, i.dispatch, i.claims, i.model, i.priority, i.start_tag,
        (p.status = 'queued')::int AS was_queued,
        CASE WHEN h.status = 'queued' THEN h.task_lane ELSE p.task_lane END AS waited_on
), counted AS (
    UPDATE jobs j SET
        version = version + 1,
        queued = queued - was_queued, processing = processing + was_queued,
        started_at = coalesce(started_at, now())
    FROM claimed c WHERE j.id = c.job_id
    RETURNING j.tenant, c.*
), counted_turns AS (
    UPDATE turns t SET virtual = c.start_tag
    FROM counted c WHERE t.model = c.model AND t.priority = c.priority AND t.virtual < c.start_tag
), counted_tenant AS (
    UPDATE tenants t SET waiting = waiting - 1
    FROM counted c WHERE was_queued = 1 AND t.model = c.model AND t.priority = c.priority AND t.tenant = c.tenant
    RETURNING c.waited_on
), counted_lane AS (
    UPDATE lanes l SET waiting = waiting - 1 FROM counted_tenant c WHERE l.name = c.waited_on
)
SELECT coalesce(c.idx, 0), coalesce(c.dispatch, 0), coalesce(c.claims, 0),
       coalesce((SELECT status FROM images WHERE ` + holdsTaskSQL + ` LIMIT 1), ''), p.*
FROM (VALUES (1)) AS always LEFT JOIN counted c ON true LEFT JOIN paused p ON true`

const (
	candidateColumnsSQL = `job_id, idx, status, priority, start_tag, recorded_at,
        task_job_id, task_idx, task_dispatch, task_lane, handed_out_at, enqueued`

	// turnSQL is the order of turns, as the index has it.
	turnSQL = `priority, start_tag, recorded_at, job_id, idx`
)

// Claim implements record.Record.
func (s *Store) Claim(ctx context.Context, r record.ClaimRequest) (record.Claim, error) {
	args := taskArgs(r.Task)
	if args["task_job_id"] == (pgtype.UUID{}) {
		return record.Claim{}, record.ErrNothingDue // no such task was ever handed out
	}
	c := record.Claim{Token: uuid.NewString()}
	args["model"], args["claim"], args["lease"], args["lane"] = r.Model, c.Token, r.Lease, r.Task.Lane
	var (
		claims int
		holder job.Status
		paused pausedRow
		batch  pgx.Batch
	)
	batch.Queue(lockClaimSQL, args)
	batch.Queue(claimSQL, args).QueryRow(func(row pgx.Row) error {
		return row.Scan(append([]any{&c.Index, &c.Dispatch, &claims, &holder}, paused.fields()...)...)
	})
	batch.Queue(readClaimedSQL, args).Query(readInto(&c.Job))
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return record.Claim{}, fmt.Errorf("postgres: claim for task %s: %w", r.Task.ID(), err)
	}
	switch {
	case paused.name != nil:
		return record.Claim{}, paused.error()
	case claims == 0:
		return record.Claim{}, unclaimed(holder)
	}
	c.Reclaimed = claims > 1
	return c, nil
}

// unclaimed tells why nothing was claimed, by the state of the image that holds
// the task. A queued one has just left that state; whether the task is needed
// again shows when it comes again.
func unclaimed(holder job.Status) error {
	if holder == job.StatusProcessing || holder == job.StatusQueued {
		return record.ErrHeld
	}
	return record.ErrNothingDue
}

// Renew implements record.Record.
func (s *Store) Renew(ctx context.Context, c record.Claim, lease time.Duration) error {
	const query = `
UPDATE images SET due_at = clock_timestamp() + @lease::interval
WHERE job_id = @id AND idx = @idx AND claim = @claim AND status = 'processing'`
	args := claimArgs(c)
	args["lease"] = lease
	tag, err := s.pool.Exec(ctx, query, args)
	if err != nil {
		return fmt.Errorf("postgres: renew the lease of image %s/%d: %w", c.Job.ID, c.Index, err)
	}
	if tag.RowsAffected() == 0 {
		return record.ErrClaimLost
	}
	return nil
}

func claimArgs(c record.Claim) pgx.NamedArgs {
	return pgx.NamedArgs{"id": uuidArg(c.Job.ID), "idx": c.Index, "claim": uuidArg(c.Token)}
}
