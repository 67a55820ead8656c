package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// webhookEvents returns the events that the receiver of a new job is told of, or
// NULL.
func webhookEvents(in job.Input) []string {
	if in.Webhook == nil {
		return nil
	}
	names := make([]string, len(in.Webhook.Events))
	for i, e := range in.Webhook.Events {
		names[i] = string(e)
	}
	return names
}

// PendingWebhooks implements record.Record.
func (r *Record) PendingWebhooks(ctx context.Context, jobIDs ...string) ([]record.WebhookDue, error) {
	var statements []string
	if slices.Contains(jobIDs, "") {
		statements = append(statements, "pending_budget_webhooks")
		jobIDs = slices.DeleteFunc(slices.Clone(jobIDs), func(id string) bool { return id == "" })
	}
	jobs := make([]pgtype.UUID, len(jobIDs))
	for i, id := range jobIDs {
		jobs[i] = uuidArg(id)
	}
	if len(jobs) > 0 {
		statements = append(statements, "pending_webhooks")
	}
	due, err := r.queryDue(ctx, pgx.NamedArgs{"jobs": jobs}, statements...)
	if err != nil {
		return nil, fmt.Errorf("postgres: pending webhooks of %d jobs: %w", len(jobIDs), err)
	}
	return due, nil
}

// UnsentWebhooks implements record.Record.
func (r *Record) UnsentWebhooks(ctx context.Context, age time.Duration, limit int) ([]record.WebhookDue, error) {
	args := pgx.NamedArgs{"age": age, "overdue": record.WebhookOverdue, "limit": limit}
	due, err := r.queryDue(ctx, args, "unsent_webhooks", "unsent_budget_webhooks")
	if err != nil {
		return nil, fmt.Errorf("postgres: find webhooks that were not sent: %w", err)
	}
	return due, nil
}

// queryDue runs statements that return tasks of webhooks, and returns those of the first
// one first.
func (r *Record) queryDue(ctx context.Context, args pgx.NamedArgs, statements ...string) ([]record.WebhookDue, error) {
	found := make([][]record.WebhookDue, len(statements))
	calls := make([]call, len(statements))
	for i, statement := range statements {
		calls[i] = call{statement: statement, args: args, read: func(rows pgx.Rows) (err error) {
			found[i], err = pgx.CollectRows(rows, readDue)
			return err
		}}
	}
	if len(calls) == 0 {
		return nil, nil
	}
	err := r.send(ctx, calls...)
	return slices.Concat(found...), err
}

func readDue(row pgx.CollectableRow) (d record.WebhookDue, err error) {
	err = row.Scan(&d.Task.JobID, &d.Task.WebhookID, &d.Task.Try, &d.Task.Renewed, &d.At)
	d.At = d.At.UTC()
	return d, err
}

// WebhooksEnqueued implements record.Record.
func (r *Record) WebhooksEnqueued(ctx context.Context, tasks ...job.WebhookTask) error {
	jobs, ids := make([]pgtype.UUID, len(tasks)), make([]string, len(tasks))
	tries, renewals := make([]int, len(tasks)), make([]int, len(tasks))
	for i, t := range tasks {
		jobs[i], ids[i], tries[i], renewals[i] = uuidArg(t.JobID), t.WebhookID, t.Try, t.Renewed
	}
	args := pgx.NamedArgs{"jobs": jobs, "ids": ids, "tries": tries, "renewals": renewals}
	some := func(ofBudgets bool) bool {
		return slices.ContainsFunc(tasks, func(t job.WebhookTask) bool { return (t.JobID == "") == ofBudgets })
	}
	var calls []call
	if some(false) {
		calls = append(calls, call{statement: "webhooks_enqueued", args: args})
	}
	if some(true) {
		calls = append(calls, call{statement: "budget_webhooks_enqueued", args: args})
	}
	if len(calls) == 0 {
		return nil
	}
	if err := r.send(ctx, calls...); err != nil {
		return fmt.Errorf("postgres: note %d tasks of webhooks as enqueued: %w", len(tasks), err)
	}
	return nil
}

// Webhook implements record.Record.
func (r *Record) Webhook(ctx context.Context, jobID, id string) (w job.Webhook, j job.Job, found bool, err error) {
	if jobID == "" {
		w, found, err = r.budgetWebhook(ctx, id)
		return w, job.Job{}, found, err
	}
	args := webhookArgs(jobID, id)
	var hooks []job.Webhook
	err = r.send(ctx,
		call{statement: "read_webhook", args: args, read: readWebhooks(&hooks)},
		call{statement: "read_job", args: args, read: readInto(&j)},
	)
	switch {
	case err != nil:
		return job.Webhook{}, job.Job{}, false, fmt.Errorf("postgres: read webhook %s: %w", id, err)
	case len(hooks) == 0 || j.ID == "":
		return job.Webhook{}, job.Job{}, false, nil
	}
	return hooks[0], j, true, nil
}

// Webhooks implements record.Record.
func (r *Record) Webhooks(ctx context.Context, jobID string) (hooks []job.Webhook, err error) {
	err = r.send(ctx, call{statement: "read_webhooks", args: webhookArgs(jobID, ""), read: readWebhooks(&hooks)})
	if err != nil {
		return nil, fmt.Errorf("postgres: read the webhooks of job %s: %w", jobID, err)
	}
	return hooks, nil
}

func webhookArgs(jobID, id string) pgx.NamedArgs {
	return pgx.NamedArgs{"id": uuidArg(jobID), "webhook_id": textArg(id)}
}

// textArg returns a text as an argument. One that Postgres cannot keep becomes
// NULL, which equals nothing, so no row is found for it.
func textArg(s string) pgtype.Text {
	return pgtype.Text{String: s, Valid: utf8.ValidString(s) && !strings.Contains(s, "\x00")}
}

// readWebhooks returns a function that reads rows of read_webhook into hooks.
func readWebhooks(hooks *[]job.Webhook) func(pgx.Rows) error {
	return func(rows pgx.Rows) (err error) {
		*hooks, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (w job.Webhook, err error) {
			var nextAt *time.Time
			var log string
			if err := row.Scan(&w.ID, &w.JobID, &w.Event, &w.Index, &w.At, &w.Version, &w.Status,
				&w.State, &w.Tries, &w.RoundFrom, &w.Renewed, &nextAt, &log); err != nil {
				return w, err
			}
			w.At, w.NextAt = w.At.UTC(), timeOrZero(nextAt)
			if w.Tries == 0 {
				return w, nil
			}
			return w, json.Unmarshal([]byte(log), &w.Log)
		})
		return err
	}
}

// NoteWebhook implements record.Record.
func (r *Record) NoteWebhook(ctx context.Context, n job.WebhookNote) (nextAt time.Time, noted bool, err error) {
	entry, err := json.Marshal(n.Try)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("postgres: encode try %d of webhook %s: %w", n.Try.Number, n.WebhookID, err)
	}
	args := webhookArgs(n.JobID, n.WebhookID)
	args["state"], args["try"], args["after"] = n.State, n.Try.Number, n.After
	args["entry"], args["most"] = string(entry), job.MaxWebhookLog
	var calls []call
	statement := "note_webhook"
	switch {
	case n.JobID == "":
		statement = "note_budget_webhook"
	case n.State == job.WebhookGone:
		calls = append(calls, call{statement: "lock_receiver", args: args}, call{statement: "lock_webhooks", args: args})
	}
	err = r.send(ctx, append(calls, call{statement: statement, args: args, read: func(rows pgx.Rows) error {
		var next *time.Time
		_, err := pgx.ForEachRow(rows, []any{&next}, func() error {
			nextAt, noted = timeOrZero(next), true
			return nil
		})
		return err
	}})...)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("postgres: note try %d of webhook %s: %w", n.Try.Number, n.WebhookID, err)
	}
	return nextAt, noted, nil
}

// ReplayWebhook implements record.Record.
func (r *Record) ReplayWebhook(ctx context.Context, jobID, id string) (job.Webhook, error) {
	args := webhookArgs(jobID, id)
	replayed := 0
	var hooks []job.Webhook
	err := r.send(ctx,
		call{statement: "replay_webhook", args: args, read: counting(&replayed)},
		call{statement: "read_webhook", args: args, read: readWebhooks(&hooks)},
	)
	switch {
	case err != nil:
		return job.Webhook{}, fmt.Errorf("postgres: replay webhook %s: %w", id, err)
	case len(hooks) == 0:
		return job.Webhook{}, record.ErrNotFound
	case replayed == 0:
		return job.Webhook{}, record.ErrWaiting
	}
	return hooks[0], nil
}
