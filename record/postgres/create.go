package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Create implements record.Record.
func (r *Record) Create(ctx context.Context, d record.Draft) (job.Job, []job.Task, error) {
	input, err := json.Marshal(d.Input)
	if err != nil {
		return job.Job{}, nil, fmt.Errorf("postgres: encode the input of job %s: %w", d.ID, err)
	}
	j, changed, err := r.runTransition(ctx, "create", pgx.NamedArgs{
		"id": uuidArg(d.ID), "tenant": d.Tenant, "priority": rank(d.Priority), "input": string(input),
		"metadata":        pgtype.Text{String: string(d.Metadata), Valid: d.Metadata != nil},
		"idempotency_key": d.IdempotencyKey, "fingerprint": d.Fingerprint,
		"total": d.Input.Count, "expires_in": d.ExpiresIn, "model": d.Input.Model,
		"weight": d.Weight, "lanes": d.Lanes,
	}, "lock_model")
	if err != nil {
		return job.Job{}, nil, fmt.Errorf("postgres: create job %s: %w", d.ID, err)
	}
	if changed {
		return j, d.Tasks(), nil
	}
	if j, err = r.ByIdempotencyKey(ctx, d); err != nil {
		return job.Job{}, nil, err
	}
	tasks, err := r.queryTasks(ctx, "pending", pgx.NamedArgs{"id": uuidArg(j.ID)})
	if err != nil {
		return job.Job{}, nil, fmt.Errorf("postgres: pending tasks of job %s: %w", j.ID, err)
	}
	return j, tasks, nil
}

// ByIdempotencyKey implements record.Record.
func (r *Record) ByIdempotencyKey(ctx context.Context, d record.Draft) (job.Job, error) {
	var id, fingerprint string
	err := r.send(ctx, call{
		statement: "by_key", args: pgx.NamedArgs{"tenant": d.Tenant, "key": d.IdempotencyKey},
		read: oneRow(&id, &fingerprint),
	})
	switch {
	case err != nil:
		return job.Job{}, fmt.Errorf("postgres: look up an idempotency key: %w", err)
	case id == "":
		return job.Job{}, record.ErrNotFound
	case fingerprint != d.Fingerprint:
		return job.Job{}, record.ErrIdempotencyMismatch
	}
	return r.read(ctx, id)
}

// rank returns a priority as the number that the record orders by.
func rank(p job.Priority) int {
	if p == job.PriorityLow {
		return 1
	}
	return 0
}

// ranked returns the priority of a rank.
func ranked(rank int) job.Priority {
	if rank > 0 {
		return job.PriorityLow
	}
	return job.PriorityNormal
}
