package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/status"
)

// Create implements status.Store.
func (s *Store) Create(ctx context.Context, sub status.Submission) (j job.Job, tasks []job.Task, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		id, err := byKey(ctx, tx, sub)
		switch {
		case errors.Is(err, status.ErrNotFound):
			id = sub.ID
			if err := s.insert(ctx, tx, sub); err != nil {
				return err
			}
		case err != nil:
			return err
		}
		if j, err = read(ctx, tx, id); err != nil {
			return err
		}
		tasks, err = pending(ctx, tx, id)
		return err
	})
	if err != nil {
		return job.Job{}, nil, fmt.Errorf("sqlite: create job %s: %w", sub.ID, err)
	}
	return j, tasks, nil
}

func (s *Store) insert(ctx context.Context, tx *sql.Tx, sub status.Submission) error {
	input, err := json.Marshal(sub.Input)
	if err != nil {
		return fmt.Errorf("encode the input: %w", err)
	}
	now := s.now()
	_, err = tx.ExecContext(ctx, `
INSERT INTO jobs (id, tenant, priority, input, metadata, idempotency_key, fingerprint, total, queued,
    created_at, expires_at)
VALUES (@id, @tenant, @priority, @input, @metadata, nullif(@key, ''), @fingerprint, @total, @total,
    @now, @expires_at)`,
		sql.Named("id", sub.ID), sql.Named("tenant", sub.Tenant), sql.Named("priority", sub.Priority),
		sql.Named("input", string(input)),
		sql.Named("metadata", sql.NullString{String: string(sub.Metadata), Valid: sub.Metadata != nil}),
		sql.Named("key", sub.IdempotencyKey), sql.Named("fingerprint", sub.Fingerprint),
		sql.Named("total", sub.Input.Count), sql.Named("now", now.UnixMicro()),
		sql.Named("expires_at", now.Add(sub.ExpiresIn).UnixMicro()))
	if err != nil {
		return err
	}
	start, err := lineUp(ctx, tx, sub)
	if err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, `
INSERT INTO images (job_id, idx, tenant, model, low, recorded_at, start_tag,
    task_job_id, task_idx, task_dispatch, task_lane, task_at, ready, due_at, heard_at)
VALUES (@task_job_id, @task_idx, @tenant, @model, @low, @now, @start_tag,
    @task_job_id, @task_idx, @task_dispatch, @task_lane, @now, 1, @now, @now)`)
	if err != nil {
		return err
	}
	defer func() { _ = insert.Close() }()
	for _, t := range sub.Tasks() {
		_, err := insert.ExecContext(ctx,
			append(taskArgs(t), sql.Named("tenant", sub.Tenant), sql.Named("model", sub.Input.Model),
				sql.Named("low", sub.Priority == job.PriorityLow), sql.Named("now", now.UnixMicro()),
				sql.Named("start_tag", start+float64(t.Index)/sub.Weight))...)
		if err != nil {
			return err
		}
	}
	return knowLanes(ctx, tx, sub.Lanes...)
}

// ByIdempotencyKey implements status.Store.
func (s *Store) ByIdempotencyKey(ctx context.Context, sub status.Submission) (job.Job, error) {
	id, err := byKey(ctx, s.db, sub)
	if err != nil {
		return job.Job{}, fmt.Errorf("sqlite: look up an idempotency key: %w", err)
	}
	j, err := read(ctx, s.db, id)
	if err != nil {
		return job.Job{}, fmt.Errorf("sqlite: read job %s: %w", id, err)
	}
	return j, nil
}

// byKey is the id of the job that was recorded for sub's idempotency key.
func byKey(ctx context.Context, db querier, sub status.Submission) (id string, err error) {
	const query = `SELECT id, fingerprint FROM jobs WHERE tenant = @tenant AND idempotency_key = @key`
	var fingerprint string
	err = db.QueryRowContext(ctx, query, sql.Named("tenant", sub.Tenant), sql.Named("key", sub.IdempotencyKey)).
		Scan(&id, &fingerprint)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", status.ErrNotFound
	case err == nil && fingerprint != sub.Fingerprint:
		return "", status.ErrIdempotencyMismatch
	}
	return id, err
}
