package worker

import (
	"context"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

// An image strikes a lane when its request is refused in a way that closes the
// lane. Then another image has to find out whether the lane works, because the
// refusal may be about this one request. Once others have found the lane open,
// strikes of this image close no lane any more. After some more the image is at
// fault itself, and fails.

// strikeWait is how much longer than its lane an image waits that has struck
// it, so that the deliveries of others come first. If it comes while one of
// these is still at work, the record sends it away once more.
const strikeWait = 5 * time.Second

// strikes reports whether a failure is the strike of an image. The breaker of a
// provider that fails is none: each of its failures spends an attempt, so that
// no image is the cause for long.
func strikes(f *job.Failure) bool { return lane.ClosedFor(f) > 0 }

// faultAfter returns how many disproved strikes put an image at fault.
//
//   - The quota of a minute and the spend cap, which is one of ten minutes, come
//     back all the time. Anybody may meet them now and then.
//   - While a broken lane is being mended, it may refuse some requests and accept
//     others for some minutes, until all of the provider's servers know. An image
//     may meet that once after others found the lane open.
//   - The quota of a day comes back once a day, and then for all. The image's
//     next chance would be a day later, when its job has mostly expired.
func faultAfter(f *job.Failure) int {
	switch {
	case f.Limit == job.LimitDay:
		return 1
	case f.Remedy == job.RemedyStop:
		return 2
	default:
		return 3
	}
}

// strike handles the failure of an attempt that closes the lane. It asks the
// record what others found. If the image is at fault, it fails. Otherwise it
// waits. The lane is paused only if nobody has disproved a strike of this image.
//
// After its first strike, the image goes to another lane at once if one is open.
// After that it could close one after the other. So it waits for as long as the
// lane is paused, and somewhat longer, wherever it goes next.
func (a *attempt) strike(ctx context.Context, f *job.Failure, attrs []any) (Verdict, error) {
	disproved := 0
	verdict, err := a.write("strike", func(ctx context.Context) (err error) {
		disproved, err = a.worker.record.Strike(ctx, a.claim, lane.Closes(f, a.lane.quota, a.worker.quotas))
		return err
	})
	a.log.WarnContext(ctx, "attempt failed", append(attrs, "strikes", disproved)...)
	if disproved >= faultAfter(f) {
		return a.fail(faultOf(f))
	}
	if disproved == 0 { // also if the record did not answer, or the image is another's by now
		a.worker.noteFailure(a.late, a.lane, f)
	}
	if err != nil || verdict != VerdictDone {
		return verdict, err
	}
	to, at := a.worker.nextLane(ctx, a.lane, f)
	r := record.Requeue{Lane: to, GiveBack: true, Reason: &f.Public}
	if a.claim.Struck {
		at = latest(at, time.Now().Add(lane.ClosedFor(f)))
	}
	if !at.IsZero() {
		r.After = capped(time.Until(at)+strikeWait, a.claim.Job)
		at = time.Now().Add(r.After)
	}
	return a.requeue(r, at)
}
