package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// slotTolerance is how long after its slot a request may still be sent. The
// pacer leaves 1 % of the quota unused, which is 0.6 s a minute. One half of
// that is for what stalls on the way from the slot to the request: the
// connection pool, the lock of the model, Redis, the bucket. The other half is
// for the network paths of two requests.
const slotTolerance = 300 * time.Millisecond

// A farSlotError means that an attempt missed its slot, and that the next one
// is too far away for this delivery.
type farSlotError struct{ at time.Time }

func (e *farSlotError) Error() string {
	return fmt.Sprintf("worker: the slot was missed, and the next one is in %s", time.Until(e.at).Round(time.Millisecond))
}

// awaitSlot gives up a slot that was missed, takes a new one and waits for it,
// while the lease goes on being renewed. It returns nil when a request may be
// sent now. The request may take as long as answer. If the new slot leaves less
// time than that, or is further away than patience, awaitSlot takes none and
// fails with a *farSlotError. It fails as mayBegin does if nothing new may
// begin.
func (a *attempt) awaitSlot(ctx context.Context, answer time.Duration) error {
	for time.Since(a.slot) > slotTolerance && a.worker.mayBegin(ctx) == nil {
		a.log.WarnContext(ctx, "slot missed", "late_seconds", time.Since(a.slot).Seconds())
		patience := a.worker.limits.Patience
		if deadline, ok := ctx.Deadline(); ok {
			patience = min(patience, time.Until(deadline)-answer)
		}
		at, taken, err := a.worker.takeSlot(ctx, a.lane, patience)
		if err != nil {
			return err
		}
		if !taken {
			return &farSlotError{at}
		}
		a.slot = at
		if err := a.worker.waitFor(ctx, at); err != nil {
			a.lane.pacer.Return(ctx, at)
			return err
		}
	}
	return a.worker.mayBegin(ctx)
}

// takeSlot takes the lane's next slot if it comes within patience. If the pacer
// says that it cannot tell now, takeSlot asks again at the time that it says,
// for as long as patience lasts. It fails as mayBegin does, and then takes none.
func (w *Worker) takeSlot(ctx context.Context, l *openLane, patience time.Duration) (at time.Time, taken bool, err error) {
	end := time.Now().Add(patience)
	for {
		at, taken = l.pacer.Take(ctx, time.Until(end))
		if taken {
			return at, true, nil
		}
		if !at.Before(end) {
			return at, false, w.mayBegin(ctx)
		}
		if err := w.waitFor(ctx, at); err != nil {
			return at, false, err
		}
	}
}

// waitFor waits for a slot. It fails at once when the process is told to end,
// or ctx ends.
func (w *Worker) waitFor(ctx context.Context, slot time.Time) error {
	timer := time.NewTimer(time.Until(slot))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-w.draining:
	}
	return w.mayBegin(ctx)
}

// mayBegin fails with ErrShutdown if the process has been told to end, and with
// ctx's cause if ctx has ended. Then no claim and no request may begin.
func (w *Worker) mayBegin(ctx context.Context) error {
	select {
	case <-w.draining:
		return ErrShutdown
	default:
		return context.Cause(ctx)
	}
}

// handOver gives the task's image a new task at once, because the process is
// told to end and nothing was claimed. It could leave the task as it is: but
// many tasks that are not answered 200 make Cloud Tasks slow the whole queue
// down. So that is for when the record does not answer.
func (w *Worker) handOver(ctx context.Context, t job.Task, l *openLane) (Verdict, error) {
	verdict, err := w.postpone(ctx, t, l.quota.Model, l, time.Time{})
	if verdict == VerdictUnavailable {
		w.log.InfoContext(ctx, "a task comes again as it is", "task", t.ID(), "error", err)
		return VerdictAgain, nil
	}
	return verdict, err
}
