package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// budgetArgs returns the arguments for the periods of budgets.
func budgetArgs(b record.Budgets) pgx.NamedArgs {
	n := len(b.Periods)
	scopes, limits, refuses := make([]string, n), make([]int64, n), make([]bool, n)
	starts, ends, webhooks := make([]time.Time, n), make([]time.Time, n), make([]string, n)
	for i, p := range b.Periods {
		scopes[i], limits[i], refuses[i], starts[i], ends[i] = string(p.Scope), p.LimitMicros, p.Refuse, p.From, p.To
		if b.Webhooks {
			webhooks[i] = job.BudgetWebhookPrefix(p.Scope, p.From, p.To)
		}
	}
	return pgx.NamedArgs{
		"scopes": scopes, "starts": starts, "ends": ends, "limits": limits, "refuses": refuses, "levels": job.BudgetLevels(),
		"webhooks": webhooks,
	}
}

// locksBudgets returns the calls that take the locks of the periods, and of those that
// the image of args is reserved with, if there are any.
func locksBudgets(b record.Budgets, args pgx.NamedArgs) []call {
	if len(b.Periods) == 0 {
		return nil
	}
	return []call{{statement: "make_budgets", args: args}, {statement: "lock_budgets", args: args}}
}

// looksForRoom returns the call that reads the rooms of the periods, if there are any.
func looksForRoom(b record.Budgets, rooms []record.BudgetRoom) []call {
	if len(b.Periods) == 0 {
		return nil
	}
	return []call{{statement: "budget_room", args: budgetArgs(b), read: func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[record.BudgetRoom])
		copy(rooms, all)
		return err
	}}}
}

// A crossing is one of crossings.
type crossing struct {
	Scope          job.BudgetScope `json:"scope"`
	From           time.Time       `json:"from"`
	To             time.Time       `json:"to"`
	LimitMicros    int64           `json:"limit_micros"`
	RaisedMicros   int64           `json:"raised_micros"`
	ReservedMicros int64           `json:"reserved_micros"`
	SpentMicros    int64           `json:"spent_micros"`
	Level          int             `json:"level"`
}

// crossings are the periods that reached a level, as a statement returns them.
type crossings struct{ doc string }

// tell calls b.Crossed for each.
func (c crossings) tell(b record.Budgets) error {
	if b.Crossed == nil || c.doc == "" {
		return nil
	}
	var all []crossing
	if err := json.Unmarshal([]byte(c.doc), &all); err != nil {
		return fmt.Errorf("postgres: decode the budgets that reached a level: %w", err)
	}
	for _, s := range all {
		b.Crossed(record.BudgetState{
			Scope: s.Scope, From: s.From.UTC(), To: s.To.UTC(),
			LimitMicros: s.LimitMicros, RaisedMicros: s.RaisedMicros, ReservedMicros: s.ReservedMicros, SpentMicros: s.SpentMicros, Level: s.Level,
		})
	}
	return nil
}

// Budgets implements record.Record.
func (r *Record) Budgets(ctx context.Context) (states []record.BudgetState, err error) {
	err = r.send(ctx, call{statement: "budgets", read: func(rows pgx.Rows) (err error) {
		states, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (s record.BudgetState, err error) {
			var from, to *time.Time
			err = row.Scan(&s.Scope, &from, &to, &s.LimitMicros, &s.RaisedMicros, &s.ReservedMicros, &s.SpentMicros, &s.Held, &s.Level)
			s.From, s.To = timeOrZero(from), timeOrZero(to)
			return s, err
		})
		return err
	}})
	if err != nil {
		return nil, fmt.Errorf("postgres: read the budgets: %w", err)
	}
	return states, nil
}

// Held implements record.Record.
func (r *Record) Held(ctx context.Context, except []job.BudgetScope, limit int) (held []record.HeldImage, err error) {
	scopes := make([]string, len(except))
	for i, s := range except {
		scopes[i] = string(s)
	}
	err = r.send(ctx, call{statement: "held", args: pgx.NamedArgs{"except": scopes, "limit": limit}, read: func(rows pgx.Rows) (err error) {
		held, err = pgx.CollectRows(rows, pgx.RowToStructByPos[record.HeldImage])
		return err
	}})
	if err != nil {
		return nil, fmt.Errorf("postgres: find held images: %w", err)
	}
	return held, nil
}

// Release implements record.Record.
func (r *Record) Release(ctx context.Context, img record.HeldImage, b record.Budgets) error {
	args := budgetArgs(b)
	args["id"], args["idx"] = uuidArg(img.JobID), img.Index
	var held bool
	var full job.BudgetScope
	var crossed crossings
	calls := append([]call{{statement: "lock_image", args: args}}, locksBudgets(b, args)...)
	err := r.send(ctx, append(calls, call{statement: "release", args: args, read: oneRow(&held, &full, &crossed.doc)})...)
	switch {
	case err != nil:
		return fmt.Errorf("postgres: release image %s/%d: %w", img.JobID, img.Index, err)
	case !held:
		return record.ErrNothingDue
	}
	if err := crossed.tell(b); err != nil || full == "" {
		return err
	}
	return &record.BudgetError{Scope: full}
}

// Settle implements record.Record.
func (r *Record) Settle(ctx context.Context, age time.Duration, limit int) (int, error) {
	settled := 0
	args := pgx.NamedArgs{"age": age, "limit": limit}
	if err := r.send(ctx, call{statement: "settle", args: args, read: counting(&settled)}); err != nil {
		return 0, fmt.Errorf("postgres: settle what images had reserved: %w", err)
	}
	return settled, nil
}

// RaiseBudget implements record.Record.
func (r *Record) RaiseBudget(ctx context.Context, raise record.BudgetRaise, a record.Act) error {
	about, err := json.Marshal(raise.Detail())
	if err != nil {
		return fmt.Errorf("postgres: encode what is done to the budget %s: %w", raise.Period.Scope, err)
	}
	p, args, done := raise.Period, actArgs(a), 0
	maps.Copy(args, pgx.NamedArgs{
		"scope": string(p.Scope), "starts": p.From, "ends": p.To, "limit": p.LimitMicros,
		"was": raise.WasMicros, "raised": raise.Micros, "levels": job.BudgetLevels(), "about": string(about),
	})
	err = r.send(ctx, call{statement: "raise_budget", args: args, read: counting(&done)})
	switch {
	case err != nil:
		return fmt.Errorf("postgres: raise the budget %s: %w", p.Scope, err)
	case done == 0:
		return record.ErrBudgetChanged
	}
	return nil
}

// RetireBudgets implements record.Record.
func (r *Record) RetireBudgets(ctx context.Context, limit int) (n int, err error) {
	args := pgx.NamedArgs{"age": record.BudgetsKept, "limit": limit}
	if err := r.send(ctx, call{statement: "retire_budgets", args: args, read: counting(&n)}); err != nil {
		return 0, fmt.Errorf("postgres: remove old periods of budgets: %w", err)
	}
	return n, nil
}
