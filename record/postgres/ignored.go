package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/record"
)

// IgnoreError implements record.Ignorer.
func (r *Record) IgnoreError(ctx context.Context, i record.Ignore, a record.Act) error {
	detail, err := json.Marshal(i.Detail())
	if err != nil {
		return fmt.Errorf("postgres: ignore errors: %w", err)
	}
	args := nameArgs(i.Name, a)
	args["until"], args["above"], args["about"] = timeArg(i.Until), i.Above, string(detail)
	if err := r.send(ctx, call{statement: "lock_ignored"}, call{statement: "ignore_error", args: args}); err != nil {
		return fmt.Errorf("postgres: ignore errors: %w", err)
	}
	return nil
}

// nameArgs returns the arguments of a statement that does something to a group of
// errors.
func nameArgs(name record.ErrorName, a record.Act) pgx.NamedArgs {
	args := actArgs(a)
	args["outcome"], args["detail"], args["lane"], args["target"] = string(name.Outcome), name.Detail, name.Lane, name.Target()
	return args
}

// NoticeError implements record.Ignorer.
func (r *Record) NoticeError(ctx context.Context, name record.ErrorName, a record.Act) error {
	done := 0
	err := r.send(ctx, call{statement: "notice_error", args: nameArgs(name, a), read: counting(&done)})
	switch {
	case err != nil:
		return fmt.Errorf("postgres: stop ignoring errors: %w", err)
	case done == 0:
		return record.ErrNotIgnored
	}
	return nil
}

// IgnoredErrors implements record.Ignorer.
func (r *Record) IgnoredErrors(ctx context.Context) ([]record.IgnoredError, error) {
	var all []record.IgnoredError
	err := r.send(ctx, call{statement: "ignored_errors", args: pgx.NamedArgs{"limit": record.MaxIgnored}, read: func(rows pgx.Rows) (err error) {
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (i record.IgnoredError, err error) {
			var until *time.Time
			err = row.Scan(&i.Name.Outcome, &i.Name.Detail, &i.Name.Lane, &until, &i.Above, &i.At, &i.Who, &i.Reason)
			i.At, i.Until = i.At.UTC(), timeOrZero(until)
			return i, err
		})
		return err
	}})
	if err != nil {
		return nil, fmt.Errorf("postgres: read which errors are ignored: %w", err)
	}
	return all, nil
}
