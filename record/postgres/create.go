package postgres

import (
	"cmp"
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
	keys, values := columns(record.Pairs(d.Metadata))
	j, changed, err := r.runTransition(ctx, "create", pgx.NamedArgs{
		"id": uuidArg(d.ID), "tenant": d.Tenant, "priority": rank(d.Priority), "input": string(input),
		"metadata":        pgtype.Text{String: string(d.Metadata), Valid: d.Metadata != nil},
		"idempotency_key": d.IdempotencyKey, "fingerprint": d.Fingerprint,
		"total": d.Input.Count, "expires_in": d.ExpiresIn, "model": d.Input.Model,
		"weight": d.Weight, "lanes": d.Lanes,
		"search_text": record.SearchText(d.Input.Prompt), "retry_of": retryOf(d), "keys": keys, "values": values,
	}, "lock_model")
	if err != nil {
		return job.Job{}, nil, fmt.Errorf("postgres: create job %s: %w", d.ID, err)
	}
	if changed {
		return j, d.Tasks(), nil
	}
	if j, err = r.Recorded(ctx, d); err != nil {
		return job.Job{}, nil, fmt.Errorf("postgres: job %s is not recorded: %w", d.ID, err)
	}
	tasks, err := r.queryTasks(ctx, "pending", pgx.NamedArgs{"id": uuidArg(j.ID)})
	if err != nil {
		return job.Job{}, nil, fmt.Errorf("postgres: pending tasks of job %s: %w", j.ID, err)
	}
	return j, tasks, nil
}

// Recorded implements record.Record.
func (r *Record) Recorded(ctx context.Context, d record.Draft) (job.Job, error) {
	var byKey, fingerprint, retry string
	calls := []call{{
		statement: "by_key", args: pgx.NamedArgs{"tenant": d.Tenant, "key": d.IdempotencyKey}, read: oneRow(&byKey, &fingerprint),
	}}
	if d.Input.Retry != nil {
		calls = append(calls, call{statement: "open_retry", args: pgx.NamedArgs{"retry_of": retryOf(d)}, read: oneRow(&retry)})
	}
	err := r.send(ctx, calls...)
	switch {
	case err != nil:
		return job.Job{}, fmt.Errorf("postgres: look for an earlier job of the same request: %w", err)
	case byKey != "" && fingerprint != d.Fingerprint:
		return job.Job{}, record.ErrIdempotencyMismatch
	case byKey == "" && retry == "":
		return job.Job{}, record.ErrNotFound
	}
	return r.read(ctx, cmp.Or(byKey, retry))
}

// retryOf returns the id of the job whose pictures the draft draws again, or
// NULL.
func retryOf(d record.Draft) pgtype.UUID {
	if d.Input.Retry == nil {
		return pgtype.UUID{}
	}
	return uuidArg(d.Input.Retry.Of)
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
