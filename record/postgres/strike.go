package postgres

import (
	"context"
	"fmt"

	"github.com/ai-worker/ai-worker/record"
)

// Strike implements record.Record.
func (r *Record) Strike(ctx context.Context, c record.Claim, lanes []string) (disproved int, err error) {
	args := claimArgs(c)
	args["lanes"] = lanes
	var strikes *int
	if err := r.send(ctx, call{statement: "strike", args: args, read: oneRow(&strikes)}); err != nil {
		return 0, fmt.Errorf("postgres: strike of image %s/%d: %w", c.Job.ID, c.Index, err)
	}
	if strikes == nil {
		return 0, record.ErrClaimLost
	}
	return *strikes, nil
}
