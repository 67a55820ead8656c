package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Claim implements record.Record.
func (r *Record) Claim(ctx context.Context, req record.ClaimRequest) (record.Claim, error) {
	if uuid.Validate(req.Task.JobID) != nil {
		return record.Claim{}, record.ErrNothingDue // no such task was ever handed out
	}
	args := taskArgs(req.Task)
	c := record.Claim{Token: uuid.NewString()}
	args["model"], args["claim"], args["lease"], args["lane"] = req.Model, uuidArg(c.Token), req.Lease, req.Task.Lane
	var (
		holder job.Status
		stray  string // the holder's model, if it is not the one asked for
		paused pausedRow
	)
	fields := append([]any{&c.Index, &c.Dispatch, &c.Number, &holder, &stray, &c.Struck, &c.Probation}, paused.fields()...)
	err := r.send(ctx,
		call{statement: "lock_claim", args: args},
		call{statement: "claim", args: args, read: oneRow(fields...)},
		call{statement: "read_claimed", args: args, read: readInto(&c.Job)},
	)
	if err != nil {
		return record.Claim{}, fmt.Errorf("postgres: claim for task %s: %w", req.Task.ID(), err)
	}
	switch {
	case paused.lane.name != nil:
		return record.Claim{}, paused.error()
	case stray != "" && holder == job.StatusQueued:
		return record.Claim{}, &record.ModelError{Model: stray}
	case c.Number == 0:
		return record.Claim{}, unclaimed(holder)
	}
	c.Reclaimed = c.Number > 1
	return c, nil
}

// unclaimed returns the error that says why nothing was claimed, by the state
// of the image that holds the task. A queued image came back to that state just
// now. Whether the task is needed again will show when it comes again.
func unclaimed(holder job.Status) error {
	if holder == job.StatusProcessing || holder == job.StatusQueued {
		return record.ErrHeld
	}
	return record.ErrNothingDue
}

// Renew implements record.Record.
func (r *Record) Renew(ctx context.Context, c record.Claim, lease time.Duration) error {
	args := claimArgs(c)
	args["lease"] = lease
	renewed := 0
	if err := r.send(ctx, call{statement: "renew", args: args, read: counting(&renewed)}); err != nil {
		return fmt.Errorf("postgres: renew the lease of image %s/%d: %w", c.Job.ID, c.Index, err)
	}
	if renewed == 0 {
		return record.ErrClaimLost
	}
	return nil
}

func claimArgs(c record.Claim) pgx.NamedArgs {
	args := reportArgs(c.Report)
	args["id"], args["idx"], args["claim"] = uuidArg(c.Job.ID), c.Index, uuidArg(c.Token)
	return args
}
