package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// createSQL writes the job and its images, and gives them their turns. Where
// the idempotency key is taken it writes nothing: a second call that runs at
// the same time waits for the first one's end. It runs under the model's lock,
// without which two jobs of one tenant could begin at the same tag.
const createSQL = `
WITH created AS (
    INSERT INTO jobs (id, tenant, priority, input, metadata, idempotency_key, fingerprint, total, queued,
                      created_at, expires_at)
    VALUES (@id, @tenant, @priority, @input, @metadata, nullif(@idempotency_key, ''), @fingerprint, @total, @total,
            now(), now() + @expires_in::interval)
    ON CONFLICT (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING id, created_at, expires_at
), began AS (
    SELECT greatest(
        (SELECT virtual FROM turns WHERE model = @model AND priority = @priority),
        (SELECT finish FROM tenants WHERE model = @model AND priority = @priority AND tenant = @tenant),
        0) AS tag
    FROM created
), counted_turns AS (
    INSERT INTO turns (model, priority) SELECT @model, @priority FROM created ON CONFLICT DO NOTHING
), counted_tenant AS (
    INSERT INTO tenants AS t (model, priority, tenant, finish, weight, waiting)
    SELECT @model, @priority, @tenant, tag + @total::integer / @weight::float8, @weight, @total FROM began
    ON CONFLICT (model, priority, tenant) DO UPDATE SET
        finish = excluded.finish, weight = excluded.weight, waiting = t.waiting + excluded.waiting
    RETURNING tenant
), counted_lanes AS (
    INSERT INTO lanes AS l (name, waiting)
    SELECT name, count(*) FROM counted_tenant, unnest(@lanes::text[]) AS name
    GROUP BY name ORDER BY name` + addWaitingSQL + `
)
INSERT INTO images (job_id, idx, model, priority, recorded_at, expires_at, start_tag,
                    task_job_id, task_idx, task_dispatch, task_lane, handed_out_at, due_at)
SELECT id, n - 1, @model, @priority, created_at, expires_at, tag + (n - 1) / @weight::float8,
       id, n - 1, 1, lane, created_at, created_at
FROM created, began, unnest(@lanes::text[]) WITH ORDINALITY AS of_image (lane, n)`

// Create implements record.Record.
func (s *Store) Create(ctx context.Context, sub record.Draft) (job.Job, []job.Task, error) {
	input, err := json.Marshal(sub.Input)
	if err != nil {
		return job.Job{}, nil, fmt.Errorf("postgres: encode the input of job %s: %w", sub.ID, err)
	}
	j, changed, err := s.transition(ctx, lockModelSQL, createSQL, pgx.NamedArgs{
		"id": uuidArg(sub.ID), "tenant": sub.Tenant, "priority": rank(sub.Priority), "input": string(input),
		"metadata":        pgtype.Text{String: string(sub.Metadata), Valid: sub.Metadata != nil},
		"idempotency_key": sub.IdempotencyKey, "fingerprint": sub.Fingerprint,
		"total": sub.Input.Count, "expires_in": sub.ExpiresIn, "model": sub.Input.Model,
		"weight": sub.Weight, "lanes": sub.Lanes,
	})
	if err != nil {
		return job.Job{}, nil, fmt.Errorf("postgres: create job %s: %w", sub.ID, err)
	}
	if changed {
		return j, sub.Tasks(), nil
	}
	if j, err = s.ByIdempotencyKey(ctx, sub); err != nil {
		return job.Job{}, nil, err
	}
	tasks, err := s.pending(ctx, j.ID)
	return j, tasks, err
}

// ByIdempotencyKey implements record.Record.
func (s *Store) ByIdempotencyKey(ctx context.Context, sub record.Draft) (job.Job, error) {
	const query = `SELECT id, fingerprint FROM jobs WHERE tenant = @tenant AND idempotency_key = @key`
	var id, fingerprint string
	err := s.pool.QueryRow(ctx, query, pgx.NamedArgs{"tenant": sub.Tenant, "key": sub.IdempotencyKey}).
		Scan(&id, &fingerprint)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return job.Job{}, record.ErrNotFound
	case err != nil:
		return job.Job{}, fmt.Errorf("postgres: look up an idempotency key: %w", err)
	case fingerprint != sub.Fingerprint:
		return job.Job{}, record.ErrIdempotencyMismatch
	}
	return s.read(ctx, id)
}

// pending are the tasks held by a job's waiting images that are not known to be
// on a queue. After an exchange they may bear another image's name.
func (s *Store) pending(ctx context.Context, id string) ([]job.Task, error) {
	const query = `
SELECT task_job_id::text, task_idx, task_dispatch, task_lane FROM images
WHERE job_id = @id AND status = 'queued' AND NOT enqueued
ORDER BY idx`
	tasks, err := s.tasks(ctx, query, pgx.NamedArgs{"id": uuidArg(id)})
	if err != nil {
		return nil, fmt.Errorf("postgres: pending tasks of job %s: %w", id, err)
	}
	return tasks, nil
}

// rank is a priority as the record orders it.
func rank(p job.Priority) int {
	if p == job.PriorityLow {
		return 1
	}
	return 0
}

// ranked is the priority of a rank.
func ranked(rank int) job.Priority {
	if rank > 0 {
		return job.PriorityLow
	}
	return job.PriorityNormal
}
