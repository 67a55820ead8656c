package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

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
	args := pgx.NamedArgs{
		"id": uuidArg(d.ID), "tenant": d.Tenant, "priority": rank(d.Priority), "input": string(input),
		"metadata":        pgtype.Text{String: string(d.Metadata), Valid: d.Metadata != nil},
		"idempotency_key": d.IdempotencyKey, "fingerprint": d.Fingerprint,
		"total": d.Input.Count, "expires_in": d.ExpiresIn, "model": d.DrawnBy(),
		"weight": d.Weight, "lanes": d.Lanes, "max_waiting": d.MaxWaiting,
		"search_text": record.SearchText(d.Input.Prompt), "retry_of": retryOf(d), "keys": keys, "values": values,
		"webhook_events": webhookEvents(d.Input), "price": d.PriceMicros,
	}
	maps.Copy(args, budgetArgs(d.Budgets))
	var j job.Job
	var recorded bool
	var waiting int
	var refusing job.BudgetScope
	var crossed crossings
	calls := []call{{statement: "lock_tenant", args: args}, {statement: "lock_model", args: args}}
	calls = append(calls, locksBudgets(d.Budgets, args)...)
	calls = append(calls,
		call{statement: "create", args: args, read: oneRow(&recorded, &waiting, &refusing, &crossed.doc)},
		call{statement: "read_job", args: args, read: readInto(&j)},
	)
	err = r.send(ctx, append(calls, noteCreated(d)...)...)
	if err != nil {
		return job.Job{}, nil, fmt.Errorf("postgres: create job %s: %w", d.ID, err)
	}
	if err := crossed.tell(d.Budgets); err != nil || recorded {
		return j, d.TasksOf(j), err
	}
	if j, err = r.earlier(ctx, d); err != nil {
		return job.Job{}, nil, refusal(d, waiting, refusing, err)
	}
	tasks, err := r.queryTasks(ctx, "pending", pgx.NamedArgs{"id": uuidArg(j.ID)})
	if err != nil {
		return job.Job{}, nil, fmt.Errorf("postgres: pending tasks of job %s: %w", j.ID, err)
	}
	return j, tasks, nil
}

// Recorded implements record.Record.
func (r *Record) Recorded(ctx context.Context, d record.Draft) (job.Job, error) {
	j, err := r.earlier(ctx, d)
	if !errors.Is(err, record.ErrNotFound) {
		return j, err
	}
	var waiting int
	rooms := make([]record.BudgetRoom, len(d.Budgets.Periods))
	calls := append([]call{{statement: "waiting", args: pgx.NamedArgs{"tenant": d.Tenant}, read: oneRow(&waiting)}}, looksForRoom(d.Budgets, rooms)...)
	if counted := r.send(ctx, calls...); counted != nil {
		return job.Job{}, fmt.Errorf("postgres: count what waits: %w", counted)
	}
	_, _, refusing := d.Fit(rooms)
	return job.Job{}, refusal(d, waiting, refusing, err)
}

// refusal returns why there is no job for a draft: too many images wait, a budget
// refuses, or else err.
func refusal(d record.Draft, waiting int, refusing job.BudgetScope, err error) error {
	if !errors.Is(err, record.ErrNotFound) {
		return err
	}
	if full := d.CheckWaiting(waiting); full != nil {
		return full
	}
	if refusing != "" {
		return &record.BudgetError{Scope: refusing}
	}
	return err
}

// earlier returns the job that stands in the way of a new one for d: that of its
// idempotency key, or the retry that has not ended. It fails with
// record.ErrNotFound.
func (r *Record) earlier(ctx context.Context, d record.Draft) (job.Job, error) {
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
