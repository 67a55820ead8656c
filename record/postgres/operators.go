package postgres

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/record"
)

// actArgs returns the arguments of a statement that writes an act to the audit.
func actArgs(a record.Act) pgx.NamedArgs {
	return pgx.NamedArgs{"who": a.Who, "role": a.Role, "action": a.Action, "reason": a.Reason, "bulk": a.Bulk}
}

// PauseByHand implements record.Operators.
func (r *Record) PauseByHand(ctx context.Context, lane string, a record.Act) error {
	done, err := r.byHand(ctx, "pause_by_hand", lane, a)
	switch {
	case err != nil:
		return fmt.Errorf("postgres: pause lane %s by hand: %w", lane, err)
	case !done:
		return record.ErrLanePaused
	}
	return nil
}

// ResumeByHand implements record.Operators.
func (r *Record) ResumeByHand(ctx context.Context, lane string, a record.Act) error {
	done, err := r.byHand(ctx, "resume_by_hand", lane, a)
	switch {
	case err != nil:
		return fmt.Errorf("postgres: resume lane %s by hand: %w", lane, err)
	case !done:
		return record.ErrNotPaused
	}
	return nil
}

// byHand runs a statement that does something to a lane by hand, and reports whether
// its guard held.
func (r *Record) byHand(ctx context.Context, statement, lane string, a record.Act) (bool, error) {
	args := actArgs(a)
	args["lane"] = lane
	done := 0
	err := r.send(ctx, call{statement: statement, args: args, read: counting(&done)})
	return done > 0, err
}

// Audit implements record.Operators.
func (r *Record) Audit(ctx context.Context, q record.AuditQuery) (record.AuditPage, error) {
	statement := "audit"
	switch {
	case q.Who != "":
		statement = "audit_by_who"
	case q.Target != "":
		statement = "audit_by_target"
	}
	before := q.Before
	if before == 0 {
		before = math.MaxInt64
	}
	args := pgx.NamedArgs{"who": q.Who, "target": q.Target, "before": before, "limit": q.Limit + 1}
	var found []record.AuditEntry
	err := r.send(ctx, call{statement: statement, args: args, read: readAudit(&found)})
	if err != nil {
		return record.AuditPage{}, fmt.Errorf("postgres: read the audit: %w", err)
	}
	return record.NewAuditPage(q, found), nil
}

func readAudit(found *[]record.AuditEntry) func(pgx.Rows) error {
	return func(rows pgx.Rows) (err error) {
		*found, err = pgx.AppendRows(*found, rows, func(row pgx.CollectableRow) (record.AuditEntry, error) {
			var e record.AuditEntry
			err := row.Scan(&e.ID, &e.At, &e.Act.Who, &e.Act.Role, &e.Act.Action, &e.Target, &e.Act.Reason, &e.Detail)
			e.At = e.At.UTC()
			return e, err
		})
		return err
	}
}

// RetireAudit implements record.Operators.
func (r *Record) RetireAudit(ctx context.Context, limit int) (int, error) {
	n := 0
	args := pgx.NamedArgs{"kept": record.AuditKept, "limit": limit}
	if err := r.send(ctx, call{statement: "retire_audit", args: args, read: counting(&n)}); err != nil {
		return 0, fmt.Errorf("postgres: remove old entries of the audit: %w", err)
	}
	return n, nil
}

// BeginLogin implements record.Operators.
func (r *Record) BeginLogin(ctx context.Context, t record.LoginTry) error {
	args := pgx.NamedArgs{
		"id": uuidArg(t.ID), "user": t.User, "address": t.Address,
		"window": record.LoginWindow, "most": record.MaxFailedLogins,
	}
	var after *time.Duration
	err := r.send(ctx,
		call{statement: "lock_login", args: args},
		call{statement: "begin_login", args: args, read: oneRow(&after)},
	)
	switch {
	case err != nil:
		return fmt.Errorf("postgres: note a login: %w", err)
	case after != nil:
		return &record.TooManyLoginsError{RetryAfter: *after}
	}
	return nil
}

// EndLogin implements record.Operators.
func (r *Record) EndLogin(ctx context.Context, t record.LoginTry, a record.Act) error {
	args := actArgs(a)
	args["id"] = uuidArg(t.ID)
	if err := r.send(ctx, call{statement: "end_login", args: args}); err != nil {
		return fmt.Errorf("postgres: note the end of a login: %w", err)
	}
	return nil
}

// EndSession implements record.Operators.
func (r *Record) EndSession(ctx context.Context, id string, lasts time.Duration, a record.Act) error {
	args := actArgs(a)
	args["id"], args["lasts"] = id, lasts
	if err := r.send(ctx, call{statement: "end_session", args: args}); err != nil {
		return fmt.Errorf("postgres: end a session: %w", err)
	}
	return nil
}

// SessionEnded implements record.Operators.
func (r *Record) SessionEnded(ctx context.Context, id string) (ended bool, err error) {
	if err := r.send(ctx, call{statement: "session_ended", args: pgx.NamedArgs{"id": id}, read: oneRow(&ended)}); err != nil {
		return false, fmt.Errorf("postgres: look up a session: %w", err)
	}
	return ended, nil
}
