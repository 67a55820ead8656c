package postgres

import (
	"context"
	"fmt"
	"maps"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Succeed implements record.Record.
func (r *Record) Succeed(ctx context.Context, c record.Claim, s record.Success) (job.Job, error) {
	return r.finish(ctx, c, job.StatusSucceeded, "succeed", pgx.NamedArgs{
		"object_key": s.Object.Key, "content_type": s.Object.ContentType,
		"width": s.Object.Width, "height": s.Object.Height, "bytes": s.Object.Bytes,
		"sha256": s.Object.SHA256, "model_version": s.Object.ModelVersion,
	})
}

// Fail implements record.Record.
func (r *Record) Fail(ctx context.Context, c record.Claim, reason job.Error) (job.Job, error) {
	return r.finish(ctx, c, job.StatusFailed, "fail", pgx.NamedArgs{
		"error_code": reason.Code, "error_message": reason.Message,
	})
}

// Requeue implements record.Record.
func (r *Record) Requeue(ctx context.Context, c record.Claim, q record.Requeue) (job.Job, job.Task, error) {
	args := pgx.NamedArgs{
		"lane": q.Lane, "after": q.After, "give_back": q.GiveBack, "error_code": nil, "error_message": nil,
	}
	if q.Reason != nil {
		args["error_code"], args["error_message"] = q.Reason.Code, q.Reason.Message
	}
	var crossed crossings
	calls := []call{{statement: "lock_image", args: args}}
	if q.Covers(c) {
		args["price"] = q.PriceMicros
		maps.Copy(args, budgetArgs(q.Budgets))
		calls = append(calls, call{statement: "lock_claimed", args: args})
		calls = append(calls, locksBudgets(q.Budgets, args)...)
		calls = append(calls, call{statement: "cover", args: args, read: oneRow(&crossed.doc)})
	}
	j, err := r.finish(ctx, c, job.StatusQueued, "requeue", args, calls...)
	if err != nil {
		return job.Job{}, job.Task{}, err
	}
	if err := crossed.tell(q.Budgets); err != nil || j.Images[c.Index].HeldBy != "" {
		return j, job.Task{}, err
	}
	return j, c.NextTask(q.Lane), nil
}

// finish runs a transition that ends the claim. If the same claim has made that
// transition already, it counts as done: the answer to the first call may have
// been lost on its way.
func (r *Record) finish(
	ctx context.Context, c record.Claim, to job.Status, statement string, args pgx.NamedArgs, before ...call,
) (job.Job, error) {
	maps.Copy(args, claimArgs(c))
	j, changed, err := r.runAfter(ctx, before, statement, args)
	if err == nil && !changed {
		changed, err = r.finished(ctx, c, to)
	}
	switch {
	case err != nil:
		return job.Job{}, fmt.Errorf("postgres: move image %s/%d to %s: %w", c.Job.ID, c.Index, to, err)
	case !changed:
		return job.Job{}, record.ErrClaimLost
	}
	return j, nil
}

// finished reports whether the claim moved its image to a state, and nothing
// has moved the image since.
func (r *Record) finished(ctx context.Context, c record.Claim, to job.Status) (bool, error) {
	args := claimArgs(c)
	args["to"] = to
	found := 0
	err := r.send(ctx, call{statement: "finished", args: args, read: counting(&found)})
	return found > 0, err
}
