package postgres

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// What is done to a job by hand is done by the statements that do it for callers. In
// the same transaction, a statement after them writes it to the audit if it was done.

// CancelByHand implements record.Operators.
func (r *Record) CancelByHand(ctx context.Context, id string, a record.Act) (job.Job, error) {
	args := actArgs(a)
	args["id"] = uuidArg(id)
	var j job.Job
	noted := 0
	err := r.send(ctx,
		call{statement: "lock_labels", args: args},
		call{statement: "lock_job", args: args},
		call{statement: "cancel", args: args},
		call{statement: "note_canceled", args: args, read: counting(&noted)},
		call{statement: "read_job", args: args, read: readInto(&j)},
	)
	switch {
	case err != nil:
		return job.Job{}, fmt.Errorf("postgres: cancel job %s by hand: %w", id, err)
	case j.ID == "":
		return job.Job{}, record.ErrNotFound
	case noted == 0:
		return job.Job{}, record.ErrEnded
	}
	return j, nil
}

// DeleteByHand implements record.Operators.
func (r *Record) DeleteByHand(ctx context.Context, id string, a record.Act) error {
	args := actArgs(a)
	args["id"] = uuidArg(id)
	noted, found := 0, 0
	err := r.send(ctx,
		call{statement: "note_deleted", args: args, read: counting(&noted)},
		call{statement: "delete", args: args, read: counting(&found)},
	)
	switch {
	case err != nil:
		return fmt.Errorf("postgres: delete job %s by hand: %w", id, err)
	case found == 0:
		return record.ErrNotFound
	case noted == 0:
		return record.ErrNotEnded
	}
	return nil
}

// ReplayWebhookByHand implements record.Operators.
func (r *Record) ReplayWebhookByHand(ctx context.Context, jobID, id string, a record.Act) (job.Webhook, error) {
	args := actArgs(a)
	args["id"], args["webhook_id"] = uuidArg(jobID), textArg(id)
	noted := 0
	var hooks []job.Webhook
	err := r.send(ctx,
		call{statement: "replay_webhook", args: args},
		call{statement: "note_replayed", args: args, read: counting(&noted)},
		call{statement: "read_webhook", args: args, read: readWebhooks(&hooks)},
	)
	switch {
	case err != nil:
		return job.Webhook{}, fmt.Errorf("postgres: replay webhook %s by hand: %w", id, err)
	case len(hooks) == 0:
		return job.Webhook{}, record.ErrNotFound
	case noted == 0:
		return job.Webhook{}, record.ErrWaiting
	}
	return hooks[0], nil
}

// noteCreated returns the call that writes a job that is made by hand to the audit,
// or none.
func noteCreated(d record.Draft) []call {
	if d.ByHand == nil {
		return nil
	}
	args := actArgs(d.ByHand.Act)
	args["id"], args["of"] = uuidArg(d.ID), d.ByHand.Of
	return []call{{statement: "note_created", args: args}}
}

// Inspect implements record.Operators: in one round trip.
func (r *Record) Inspect(ctx context.Context, id string) (record.Inspection, error) {
	args := pgx.NamedArgs{"id": uuidArg(id)}
	var in record.Inspection
	var ahead *int
	var paused []job.PausedLane
	err := r.send(ctx,
		call{statement: "clock", read: oneRow(&in.At)},
		call{statement: "read_job", args: args, read: readInto(&in.Job)},
		call{statement: "ahead", args: args, read: oneRow(&ahead)},
		call{statement: "paused_lanes", read: readPaused(&paused)},
		call{statement: "read_places", args: args, read: readPlaces(&in)},
		call{statement: "attempts", args: args, read: readAttempts(&in.Attempts)},
		call{statement: "read_webhooks", args: args, read: readWebhooks(&in.Webhooks)},
		call{
			statement: "audit_by_target", args: pgx.NamedArgs{"target": textArg(id), "before": int64(math.MaxInt64), "limit": record.MaxActs},
			read: readAudit(&in.Acts),
		},
	)
	switch {
	case err != nil:
		return record.Inspection{}, fmt.Errorf("postgres: inspect job %s: %w", id, err)
	case in.Job.ID == "":
		return record.Inspection{}, record.ErrNotFound
	}
	if in.Job.Progress().Queued > 0 { // otherwise it started or ended between the two
		in.Job.Ahead, in.Job.Paused = ahead, paused
	}
	in.At = in.At.UTC()
	return in, nil
}

func readPlaces(in *record.Inspection) func(pgx.Rows) error {
	return func(rows pgx.Rows) (err error) {
		in.Places, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (p record.ImagePlace, err error) {
			var leaseEnds *time.Time
			err = row.Scan(&in.Keyed, &p.Model, &p.Lane, &leaseEnds, &p.Unsent)
			p.LeaseEnds = timeOrZero(leaseEnds)
			return p, err
		})
		return err
	}
}
