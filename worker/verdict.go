package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/ai-worker/ai-worker/record"
)

// Verdict is what the end of a delivery means for its task.
type Verdict int

const (
	// VerdictDone means that the task has served its purpose. Work that is left
	// has a task of its own.
	VerdictDone Verdict = iota
	// VerdictAgain means that the task must be delivered again as it is.
	VerdictAgain
	// VerdictUnavailable means that the record cannot be reached. No other
	// delivery would do better now, so the queue should slow down.
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
