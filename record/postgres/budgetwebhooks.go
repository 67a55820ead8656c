package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
)

// budgetWebhook returns a webhook of a budget. It reports false if there is none.
func (r *Record) budgetWebhook(ctx context.Context, id string) (w job.Webhook, found bool, err error) {
	args := pgx.NamedArgs{"webhook_id": textArg(id)}
	err = r.send(ctx, call{statement: "read_budget_webhook", args: args, read: func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, readBudgetWebhook)
		if len(all) > 0 {
			w, found = all[0], true
		}
		return err
	}})
	if err != nil {
		return job.Webhook{}, false, fmt.Errorf("postgres: read webhook %s: %w", id, err)
	}
	return w, found, nil
}

// readBudgetWebhook reads a row of read_budget_webhook.
func readBudgetWebhook(row pgx.CollectableRow) (w job.Webhook, err error) {
	var b job.BudgetReached
	var nextAt *time.Time
	var log string
	if err := row.Scan(&w.ID, &w.At, &b.Scope, &b.From, &b.To, &b.Percent, &b.LimitMicros, &b.RaisedMicros, &b.ReservedMicros, &b.SpentMicros,
		&w.State, &w.Tries, &w.Renewed, &nextAt, &log); err != nil {
		return w, err
	}
	b.From, b.To = b.From.UTC(), b.To.UTC()
	w.Event, w.Budget, w.At, w.NextAt = job.WebhookBudgetThreshold, &b, w.At.UTC(), timeOrZero(nextAt)
	if w.Tries == 0 {
		return w, nil
	}
	return w, json.Unmarshal([]byte(log), &w.Log)
}
