package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// reportArgs returns the arguments for what a claimant tells of its attempt.
func reportArgs(r job.Report) pgx.NamedArgs {
	bound := r.Bill.BoundMicros
	r = record.Kept(r)
	args := pgx.NamedArgs{
		"slot_at": timeArg(r.SlotAt), "asked_at": timeArg(r.AskedAt), "answered_at": timeArg(r.AnsweredAt),
		"detail": r.Detail, "finish_reason": r.FinishReason,
		"prompt_tokens": nil, "text_tokens": nil, "thought_tokens": nil, "image_tokens": nil, "total_tokens": nil,
		"billed": r.Bill.Billed, "attempt_micros": r.Bill.CostMicros, "estimated": r.Bill.Estimated,
		"price_list": r.Bill.PriceList, "bound_micros": bound,
	}
	if t := r.Bill.Tokens; t != nil {
		args["prompt_tokens"], args["text_tokens"], args["thought_tokens"] = t.Prompt, t.Text, t.Thought
		args["image_tokens"], args["total_tokens"] = t.Image, t.Total
	}
	return args
}

// NoteAttempt implements record.Record.
func (r *Record) NoteAttempt(ctx context.Context, c record.Claim, stored bool) error {
	args := claimArgs(c)
	args["number"], args["stored"] = c.Number, stored
	if err := r.send(ctx, call{statement: "note_attempt", args: args}); err != nil {
		return fmt.Errorf("postgres: note attempt %d of image %s/%d: %w", c.Number, c.Job.ID, c.Index, err)
	}
	return nil
}

// Attempts implements record.Record.
func (r *Record) Attempts(ctx context.Context, jobID string) ([]job.Attempt, error) {
	var all []job.Attempt
	err := r.send(ctx, call{statement: "attempts", args: pgx.NamedArgs{"id": uuidArg(jobID)}, read: readAttempts(&all)})
	if err != nil {
		return nil, fmt.Errorf("postgres: read the attempts of job %s: %w", jobID, err)
	}
	return all, nil
}

// RetireAttempts implements record.Record.
func (r *Record) RetireAttempts(ctx context.Context, limit int) (n int, err error) {
	args := pgx.NamedArgs{"kept": record.AttemptsKept, "limit": limit}
	if err := r.send(ctx, call{statement: "retire_attempts", args: args, read: counting(&n)}); err != nil {
		return 0, fmt.Errorf("postgres: remove old attempts: %w", err)
	}
	return n, nil
}

func readAttempts(all *[]job.Attempt) func(pgx.Rows) error {
	return func(rows pgx.Rows) (err error) {
		*all, err = pgx.CollectRows(rows, scanAttempt)
		return err
	}
}

func scanAttempt(row pgx.CollectableRow) (a job.Attempt, err error) {
	var slot, asked, answered *time.Time
	var prompt, text, thought, image, total *int64
	err = row.Scan(&a.Index, &a.Number, &a.Lane, &a.Model, &a.Tenant, &a.Dispatch,
		&slot, &a.StartedAt, &asked, &answered, &a.EndedAt, &a.Waited,
		&a.Outcome, &a.Counted, &a.Detail, &a.FinishReason, &prompt, &text, &thought, &image, &total,
		&a.Bill.Billed, &a.Bill.CostMicros, &a.Bill.Estimated, &a.Bill.PriceList)
	if err != nil {
		return a, err
	}
	a.StartedAt, a.EndedAt = a.StartedAt.UTC(), a.EndedAt.UTC()
	a.SlotAt, a.AskedAt, a.AnsweredAt = timeOrZero(slot), timeOrZero(asked), timeOrZero(answered)
	if total != nil {
		a.Bill.Tokens = &job.Tokens{Prompt: *prompt, Text: *text, Thought: *thought, Image: *image, Total: *total}
	}
	return a, nil
}

// Spend implements record.Record.
func (r *Record) Spend(ctx context.Context, q record.SpendQuery) ([]record.Spend, error) {
	args := pgx.NamedArgs{
		"from": q.From, "to": q.To, "zone": "", "whole": q.Whole, "limit": q.Limit,
		"by_lane": q.Lane, "by_model": q.Model, "by_tenant": q.Tenant, "by_outcome": q.Outcome,
	}
	if q.Zone != nil {
		args["zone"] = q.Zone.String()
	}
	var all []record.Spend
	err := r.send(ctx, call{statement: "spend", args: args, read: func(rows pgx.Rows) (err error) {
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (record.Spend, error) { return scanSpend(row, q) })
		return err
	}})
	if err != nil {
		return nil, fmt.Errorf("postgres: sum what attempts cost: %w", err)
	}
	return all, nil
}

func scanSpend(row pgx.CollectableRow, q record.SpendQuery) (s record.Spend, err error) {
	var hour, day *time.Time
	t := &s.Tokens
	err = row.Scan(&hour, &day, &s.Lane, &s.Model, &s.Tenant, &s.Outcome, &s.Pictures, &s.Attempts,
		&t.Prompt, &t.Text, &t.Thought, &t.Image, &s.CostMicros, &s.WastedMicros, &s.EstimatedMicros, &s.Waited, &s.Ran)
	if err != nil {
		return s, err
	}
	s.At, t.Total = timeOrZero(hour), t.Prompt+t.Text+t.Thought+t.Image
	if day != nil {
		s.At = q.Day(day.Date())
	}
	return s, nil
}

// ForgetSpend implements record.Record.
func (r *Record) ForgetSpend(ctx context.Context, age time.Duration, limit int) (int, error) {
	forgotten := 0
	args := pgx.NamedArgs{"age": age, "limit": limit}
	if err := r.send(ctx, call{statement: "forget_spend", args: args, read: counting(&forgotten)}); err != nil {
		return 0, fmt.Errorf("postgres: remove old sums: %w", err)
	}
	return forgotten, nil
}
