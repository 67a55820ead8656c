package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Cancel implements record.Record.
func (r *Record) Cancel(ctx context.Context, id string) (job.Job, error) {
	j, _, err := r.runTransition(ctx, "cancel", pgx.NamedArgs{"id": uuidArg(id)}, "lock_labels", "lock_job")
	switch {
	case err != nil:
		return job.Job{}, fmt.Errorf("postgres: cancel job %s: %w", id, err)
	case j.ID == "":
		return job.Job{}, record.ErrNotFound
	}
	return j, nil
}
