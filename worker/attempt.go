package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// An attempt is the work on one claimed image.
type attempt struct {
	worker *Worker
	lane   *openLane
	claim  record.Claim
	// claimed is when the claim was made, on the clock of this process.
	claimed time.Time
	slot    time.Time // when the request may be sent
	log     *slog.Logger
	// report is what the record is told of the attempt.
	report job.Report
	stored bool // the picture is in the bucket
	// Of an attempt whose image was neither asked for nor requeued, the slot is
	// left: the image has ended without a request, or is no longer the
	// attempt's.
	requeued bool
	// late ends a little after the delivery does. Work that must not be lost is
	// done under it. All of that shares this one context, or the process would
	// end too late.
	late context.Context //nolint:containedctx // it is there to be shared by all steps
	// uploads ends somewhat before late does, so that there is time to record
	// that a picture could not be stored.
	uploads context.Context //nolint:containedctx // as late
}

func (w *Worker) newAttempt(l *openLane, c record.Claim, slot time.Time) *attempt {
	return &attempt{worker: w, lane: l, claim: c, claimed: time.Now(), slot: slot, log: w.log.With(
		"job_id", c.Job.ID, "index", c.Index, "attempt", c.Image().Attempts, "tenant", c.Job.Tenant, "lane", l.quota.Name)}
}

// run draws, stores and records the picture of the claimed image, or decides
// what becomes of the image instead.
func (a *attempt) run(ctx context.Context) (Verdict, error) {
	late, cancel := lastChance(ctx, a.worker.limits.Farewell)
	defer cancel()
	a.late = late
	uploads, cancelUploads := uploadTime(ctx, a.worker.limits.Farewell)
	defer cancelUploads()
	a.uploads = uploads

	started := time.Now()
	obj, err := a.drawUnderLease(ctx)
	a.report.SlotAt = a.slot
	switch {
	case errors.Is(err, errClaimLost):
		a.log.InfoContext(ctx, "attempt cut short: the image is no longer this delivery's")
		a.noteLost(ctx)
		// The task may not be this delivery's either: another image may wait
		// for it.
		return VerdictAgain, nil
	case err != nil:
		return a.handleFailure(ctx, err)
	}
	verdict, err := a.succeed(obj)
	if err == nil {
		attrs := []any{"bytes", obj.Bytes, "model_version", obj.ModelVersion, "seconds", time.Since(started).Seconds()}
		if cost := a.report.Bill.CostMicros; cost > 0 {
			attrs = append(attrs, "cost_usd", float64(cost)/1e6)
		}
		a.log.InfoContext(ctx, "picture stored", attrs...)
	}
	return verdict, err
}

// drawUnderLease draws and stores the image's picture, and renews the lease for
// as long as that takes. It fails with errClaimLost if the claim is lost
// before.
//
// The result is recorded only after the last renewal. A renewal after that
// would find that the image has ended, and take this for the loss of the claim.
func (a *attempt) drawUnderLease(ctx context.Context) (job.Object, error) {
	ctx, stop := a.keepLease(ctx)
	defer stop()
	obj, err := a.findOrDraw(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errClaimLost) {
		return job.Object{}, errClaimLost
	}
	return obj, err
}

// findOrDraw asks the model for the image's picture and uploads it. If an
// earlier attempt stored the picture before it was cut off, findOrDraw finds
// it, and does not ask the model again.
func (a *attempt) findOrDraw(ctx context.Context) (job.Object, error) {
	j, img := a.claim.Job, a.claim.Image()
	if a.claim.Reclaimed {
		obj, answer, found, err := a.worker.images.Stat(ctx, j.ID, img.Index)
		if err != nil {
			return job.Object{}, storageAway(err)
		}
		if found {
			a.report.Bill = a.bill(answer) // the attempt that drew it could not tell
			a.stored = true
			return obj, nil
		}
	}
	if err := a.checkDeadline(); err != nil {
		return job.Object{}, err
	}
	if img.Attempts > a.worker.limits.MaxAttempts {
		return job.Object{}, exhaustedFailure(a.worker.limits.MaxAttempts)
	}
	if tooMuch := j.CheckCost(img.Index, a.price()); tooMuch != nil {
		return job.Object{}, &job.Failure{Public: *tooMuch, Remedy: job.RemedyFail}
	}
	if err := a.checkBudget(); err != nil {
		return job.Object{}, err
	}
	pic, err := a.generate(ctx)
	if err != nil {
		return job.Object{}, err
	}
	return a.upload(pic)
}

// checkDeadline fails if the job's deadline has passed.
func (a *attempt) checkDeadline() error {
	if !time.Now().Before(a.claim.Job.ExpiresAt) {
		return deadlineFailure()
	}
	return nil
}

// generate asks the model once, in the attempt's slot or in a new one.
func (a *attempt) generate(ctx context.Context) (job.Picture, error) {
	req, err := a.newRequest(ctx)
	if err != nil {
		return job.Picture{}, err
	}
	timeout := a.worker.limits.generateTimeout(a.lane.model, req.ImageSize)
	if err := a.awaitSlot(ctx, timeout); err != nil {
		return job.Picture{}, err
	}
	if err := a.checkDeadline(); err != nil {
		return job.Picture{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	a.report.AskedAt = time.Now()
	pic, err := a.lane.generator.Generate(ctx, req)
	a.reportAnswer(pic, err)
	if err == nil {
		a.noteAnswer(ctx)
	}
	return pic, err
}

// newRequest returns the request to the model for this image of the job.
func (a *attempt) newRequest(ctx context.Context) (job.Request, error) {
	in := a.claim.Job.Input
	req := job.Request{
		Model: a.lane.quota.Model, Prompt: in.Prompt, AspectRatio: in.AspectRatio, ImageSize: in.ImageSize,
		Seed: in.SeedOf(a.claim.Index),
	}
	for _, img := range in.InputImages {
		src, err := a.worker.images.Source(ctx, img)
		if err != nil {
			return job.Request{}, storageAway(err)
		}
		req.Sources = append(req.Sources, src)
	}
	return req, nil
}

// upload uploads the picture until it is stored or the time for that runs out.
// The picture is paid for, so it tries again after each failure.
func (a *attempt) upload(pic job.Picture) (job.Object, error) {
	ctx := a.uploads
	for try := 1; ; try++ {
		obj, err := a.worker.images.Put(ctx, a.claim.Job.ID, a.claim.Index, pic)
		if err == nil {
			a.stored = true
			return obj, nil
		}
		a.log.WarnContext(ctx, "picture not stored yet", "try", try, "error", err)
		if !sleep(ctx, backoff(try, storeBackoff, storeBackoffMax)) {
			return job.Object{}, storageFailure(err)
		}
	}
}

// succeed records the stored picture. If the record cannot be reached in the
// time there is, the task comes again, and that delivery finds the picture.
func (a *attempt) succeed(obj job.Object) (Verdict, error) {
	success := record.Success{Object: obj}
	return a.write("succeeded", func(ctx context.Context) error {
		_, err := a.worker.record.Succeed(ctx, a.claim, success)
		return err
	})
}

// handleFailure decides what becomes of the image when its attempt brought no
// picture, and records it: the attempt is given back, or the image fails, or
// the image waits for another attempt.
func (a *attempt) handleFailure(ctx context.Context, err error) (Verdict, error) {
	if far, ok := errors.AsType[*farSlotError](err); ok {
		a.log.InfoContext(ctx, "attempt given back", "error", err)
		return a.requeue(record.Requeue{Lane: a.lane.quota.Name, GiveBack: true}, far.at)
	}
	var f *job.Failure
	_ = errors.As(err, &f)
	if f == nil || errors.Is(context.Cause(ctx), ErrShutdown) && f.Remedy != job.RemedyFail {
		a.log.InfoContext(ctx, "attempt given back", "error", err)
		return a.requeue(record.Requeue{Lane: a.lane.quota.Name, GiveBack: true}, time.Time{})
	}
	img := a.claim.Image()
	attrs := []any{"code", f.Public.Code, "billable", f.Billable, "error", err}
	if strikes(f) {
		return a.strike(ctx, f, attrs)
	}
	a.log.WarnContext(ctx, "attempt failed", attrs...)
	a.worker.noteFailure(a.late, a.lane, f)
	if f.Final(img.Attempts, a.worker.limits.MaxAttempts) {
		return a.fail(f.Public)
	}
	to, at := a.worker.nextLane(ctx, a.lane, f)
	r := record.Requeue{Lane: to, GiveBack: !f.SpendsAttempt(), Reason: &f.Public}
	if r.After = retryDelay(f, img.Attempts); r.After > 0 {
		r.After = capped(r.After, a.claim.Job)
		at = latest(at, time.Now().Add(r.After))
	}
	return a.requeue(r, at)
}

// fail records that the image ends with a reason.
func (a *attempt) fail(reason job.Error) (Verdict, error) {
	return a.write("failed", func(ctx context.Context) error {
		_, err := a.worker.record.Fail(ctx, a.claim, reason)
		return err
	})
}

// requeue records that the image waits, and puts its next task on the queue, to
// be delivered not before at. If the task cannot be created, the record says
// that it is missing, and the sweep puts it. Where a budget has no room for the next
// attempt, the image is held instead.
func (a *attempt) requeue(r record.Requeue, at time.Time) (Verdict, error) {
	a.requeued = true
	r.PriceMicros, r.Budgets = a.price(), a.budgetsNow()
	var next job.Task
	verdict, err := a.write("queued", func(ctx context.Context) (err error) {
		_, next, err = a.worker.record.Requeue(ctx, a.claim, r)
		return err
	})
	if err != nil || next == (job.Task{}) {
		return verdict, err
	}
	if err := a.worker.router.Put(a.late, at, next); err != nil {
		return VerdictDone, fmt.Errorf("worker: task of image %s/%d: %w", a.claim.Job.ID, a.claim.Index, err)
	}
	return VerdictDone, nil
}

// write writes a transition to the record. While the record cannot be reached
// and there is time, it tries again; each transition may be repeated.
func (a *attempt) write(to string, transition func(context.Context) error) (Verdict, error) {
	ctx, cancel := context.WithTimeout(a.late, recordPatience)
	defer cancel()
	a.claim.Report = a.report
	for try := 1; ; try++ {
		err := transition(ctx)
		switch {
		case err == nil:
			return VerdictDone, nil
		case errors.Is(err, record.ErrClaimLost):
			a.log.InfoContext(ctx, "result dropped: the image is no longer this delivery's", "result", to)
			a.noteLost(ctx)
			return VerdictAgain, nil // as when the attempt is cut short
		}
		if !sleep(ctx, backoff(try, recordBackoff, recordBackoffMax)) {
			return VerdictUnavailable, fmt.Errorf("worker: record image %s/%d as %s: %w",
				a.claim.Job.ID, a.claim.Index, to, err)
		}
	}
}
