package worker

import (
	"context"
	"errors"
	"time"

	"github.com/ai-worker/ai-worker/record"
)

var (
	// ErrShutdown is the cause when a delivery's context ends because the
	// process shuts down, and what keeps an attempt from sending its request
	// while the process drains. The image is put back and its attempt given
	// back.
	ErrShutdown = errors.New("worker: shutting down")

	// errClaimLost is the cause when a delivery's context ends because the
	// image was canceled or taken over.
	errClaimLost = errors.New("worker: the claim is lost")
)

// keepLease renews the lease of the attempt's image until stop is called. The
// context that it returns ends, with the cause errClaimLost, when the image is
// no longer the attempt's.
func (a *attempt) keepLease(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	unwatch := a.worker.cancels.OnCancel(ctx, a.claim.Job.ID, func() { cancel(errClaimLost) })
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait := a.worker.limits.Heartbeat
		for sleep(ctx, wait) {
			err := a.worker.record.Renew(ctx, a.claim, a.worker.limits.Lease)
			wait = a.worker.limits.Heartbeat
			switch {
			case errors.Is(err, record.ErrClaimLost):
				cancel(errClaimLost)
			case err != nil && ctx.Err() == nil:
				a.log.WarnContext(ctx, "lease not renewed", "error", err)
				wait = min(wait, renewAgain)
			}
		}
	}()
	return ctx, func() {
		unwatch()
		cancel(context.Canceled)
		<-done
	}
}

// lastChance returns a context for work that should be done even though the
// process is shutting down. It goes on for the time given once ctx has ended.
// It keeps ctx's deadline.
func lastChance(ctx context.Context, farewell time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		sleep(longer, farewell)
		cancel()
	})
	return longer, func() {
		stop()
		cancel()
	}
}

// recordTime is what an upload leaves of a delivery's time, to record how it
// ended.
const recordTime = 5 * time.Second

// uploadTime returns a context for uploads. It ends a while before ctx's
// deadline, or when half of farewell has passed after the end of ctx.
func uploadTime(ctx context.Context, farewell time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := lastChance(ctx, farewell/2)
	deadline, ok := ctx.Deadline()
	if !ok {
		return longer, cancel
	}
	limited, cancelLimited := context.WithDeadline(longer, deadline.Add(-recordTime))
	return limited, func() {
		cancelLimited()
		cancel()
	}
}
