package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/ai-worker/ai-worker/record"
)

// Verdict is what a delivery's outcome means for its task.
type Verdict int

const (
	// VerdictDone: the task has served its purpose. Whatever is still to be
	// done has a task of its own.
	VerdictDone Verdict = iota
	// VerdictAgain: the task must be delivered again as it is.
	VerdictAgain
	// VerdictUnavailable: the record cannot be reached, and no delivery will
	// fare better now; the queue should slow down.
	VerdictUnavailable
)

// claimVerdict returns the verdict on a delivery that could not claim an image.
func claimVerdict(ctx context.Context, err error) (Verdict, error) {
	switch {
	case errors.Is(err, record.ErrNothingDue):
		return VerdictDone, nil
	case errors.Is(err, record.ErrHeld):
		return VerdictAgain, nil
	case ctx.Err() != nil:
		return VerdictAgain, nil
	default:
		return VerdictUnavailable, fmt.Errorf("worker: claim an image: %w", err)
	}
}
