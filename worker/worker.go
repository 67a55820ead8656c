// Package worker works on one delivery: pace, claim, generate, store, record,
// verdict. It decides what each end of an attempt means for the image and for
// the delivery. It knows neither HTTP nor SQL nor any provider.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

// A Generator asks a model for one picture, with one request. It fails with a
// *job.Failure, or with the context's cause if the context was canceled.
type Generator interface {
	Generate(context.Context, job.Request) (job.Picture, error)
}

// An ImageStore keeps pictures. A stored picture never changes.
type ImageStore interface {
	// Put stores the picture of an image. If one is stored already, Put keeps
	// and returns that one.
	Put(ctx context.Context, jobID string, index int, pic job.Picture) (job.Object, error)
	// Stat returns the stored picture of an image, if there is one, with what is
	// known of the answer that it came in.
	Stat(ctx context.Context, jobID string, index int) (obj job.Object, a job.Answer, found bool, err error)
	// Source returns an input picture in the form in which a model can be
	// handed it.
	Source(context.Context, job.InputImage) (job.Source, error)
}

// A Pacer hands out the slots of a lane's quota.
type Pacer interface {
	// Take takes the next slot if it comes within patience, and returns its
	// time. Otherwise it takes none, and returns when to ask again. If that is
	// within patience, the pacer cannot tell yet when the next slot is.
	Take(ctx context.Context, patience time.Duration) (at time.Time, taken bool)
	// Return gives back a slot that was taken and will not be used.
	Return(ctx context.Context, at time.Time)
}

// A Router puts tasks on queues.
type Router interface {
	// Route chooses the lane that will soonest reach one more image of the
	// model. It also returns the time before which that lane cannot: zero, or
	// when the lane opens. It returns an empty lane if none serves the model.
	Route(ctx context.Context, model string) (lane string, at time.Time, err error)
	// Put puts tasks on their lanes' queues, to be delivered not before at, or
	// at once if that is zero.
	Put(ctx context.Context, at time.Time, tasks ...job.Task) error
}

// Cancels tells at once that a job was canceled, if it can.
type Cancels interface {
	// OnCancel calls f once the job is canceled, until stop is called.
	OnCancel(ctx context.Context, jobID string, f func()) (stop func())
}

// Limits are the times and counts of one delivery. They nest: a model must
// answer within GenerateTimeout, and a delivery must end within
// DeliveryTimeout, which must be less than the dispatch deadline of the task.
type Limits struct {
	MaxAttempts     int
	Lease           time.Duration // for how long an image belongs to a delivery without a renewal
	Heartbeat       time.Duration // between renewals
	GenerateTimeout time.Duration
	// LargeTimeout is GenerateTimeout for sizes that the model is slow to draw.
	LargeTimeout    time.Duration
	DeliveryTimeout time.Duration
	// Patience is how long a delivery waits for a slot. If the slot is further
	// away, the delivery leaves it, and the image gets a new task for a later
	// time.
	Patience time.Duration
	// Farewell is how long a delivery may still take to put its image back once
	// the process is shutting down.
	Farewell time.Duration
}

// generateTimeout returns how long a model may take for a picture of a size.
func (l Limits) generateTimeout(m job.Model, size string) time.Duration {
	if m.Slow(size) {
		return l.LargeTimeout
	}
	return l.GenerateTimeout
}

// Check fails if the limits do not nest within each other and within the
// dispatch deadline of the tasks.
func (l Limits) Check(dispatchDeadline time.Duration) error {
	for _, rule := range []struct {
		holds bool
		text  string
	}{
		{l.Patience+l.GenerateTimeout < l.DeliveryTimeout, "Patience + GenerateTimeout < DeliveryTimeout"},
		{l.Patience+l.LargeTimeout < l.DeliveryTimeout, "Patience + LargeTimeout < DeliveryTimeout"},
		{l.DeliveryTimeout < dispatchDeadline, "DeliveryTimeout < dispatch deadline of the tasks"},
		{2*l.Heartbeat < l.Lease, "2 × Heartbeat < Lease"},
		{l.Heartbeat+recordPatience < l.Lease, "Heartbeat + the time to record a result < Lease"},
		{l.MaxAttempts > 0, "MaxAttempts > 0"},
	} {
		if !rule.holds {
			return fmt.Errorf("worker: limits do not nest: %s must hold in %+v", rule.text, l)
		}
	}
	return nil
}

// DefaultLimits returns the limits of production. The dispatch deadline of the
// tasks and the request time-out of the server must be above DeliveryTimeout.
func DefaultLimits() Limits {
	return Limits{
		MaxAttempts:     4,
		Lease:           60 * time.Second,
		Heartbeat:       20 * time.Second,
		GenerateTimeout: 120 * time.Second,
		LargeTimeout:    300 * time.Second,
		DeliveryTimeout: 8 * time.Minute,
		Patience:        30 * time.Second,
		Farewell:        time.Second,
	}
}

// A LaneConfig is what the worker needs to use one lane's slots.
type LaneConfig struct {
	Lane      lane.Lane
	Model     job.Model
	Generator Generator
	Pacer     Pacer
}

// Config is what a worker works with.
type Config struct {
	Lanes   []LaneConfig
	Record  record.Record
	Images  ImageStore
	Router  Router
	Cancels Cancels
	Limits  Limits
	// Draining is closed once the process has been told to end. From then on,
	// nothing is claimed and no request is sent. What was asked for before goes
	// on until the context of its delivery ends. nil stands for never.
	Draining <-chan struct{}
	Budgets  record.BudgetBook
	Log      *slog.Logger
}

// Worker works on deliveries. It is safe for concurrent use.
type Worker struct {
	record   record.Record
	images   ImageStore
	router   Router
	cancels  Cancels
	limits   Limits
	draining <-chan struct{}
	budgets  record.BudgetBook
	log      *slog.Logger
	quotas   []lane.Lane
	lanes    map[string]*openLane // by name
}

// New returns a worker. There must be at least one lane.
func New(cfg Config) *Worker {
	w := &Worker{
		record: cfg.Record, images: cfg.Images, router: cfg.Router, cancels: cfg.Cancels, limits: cfg.Limits,
		draining: cfg.Draining, budgets: cfg.Budgets, log: cfg.Log,
		lanes: make(map[string]*openLane, len(cfg.Lanes)),
	}
	for _, l := range cfg.Lanes {
		w.quotas = append(w.quotas, l.Lane)
		w.lanes[l.Lane.Name] = &openLane{quota: l.Lane, model: l.Model, generator: l.Generator, pacer: l.Pacer}
	}
	return w
}

// Deliver uses the slot that a delivered task brings. ctx must end when the
// process shuts down, and not when the caller goes away: a picture that is paid
// for is stored even if nobody waits for the verdict any more.
//
// The error says what was wrong with the service, for the log. The verdict
// stands with or without it.
func (w *Worker) Deliver(ctx context.Context, t job.Task) (Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, w.limits.DeliveryTimeout)
	defer cancel()
	if w.mayBegin(ctx) != nil {
		return VerdictAgain, nil
	}
	l, known := w.lanes[t.Lane]
	if !known {
		w.log.WarnContext(ctx, "delivery on a lane that is not configured any more", "lane", t.Lane)
		return w.passOn(ctx, t, "", 0)
	}
	if left := l.closedFor(); left > 0 || l.quota.Paused {
		return w.passOn(ctx, t, l.quota.Model, left)
	}
	slot, taken, err := w.takeSlot(ctx, l, w.limits.Patience)
	if err != nil {
		return w.handOver(ctx, t, l)
	}
	if !taken {
		return w.postpone(ctx, t, l.quota.Model, l, slot)
	}
	if w.waitFor(ctx, slot) != nil {
		l.pacer.Return(ctx, slot)
		return w.handOver(ctx, t, l)
	}
	return w.use(ctx, l, t, slot)
}

// maxImages bounds how many images one delivery works on. All but the last need
// no request.
const maxImages = 16

// use claims an image, and works on it with a slot that has come. If the image
// needs no request, because its deadline has passed, or its picture is stored
// already, the slot goes on to the next image. It also does if the task's image is
// of another model than the lane: that image gets a place elsewhere.
//
// The next claim names the same task. The image that held it has ended, so the
// next image gets it and leaves a task of its own to the others: every waiting
// image still has one that is to come. If the process dies in between, the task
// is delivered again, and does the same.
func (w *Worker) use(ctx context.Context, l *openLane, t job.Task, slot time.Time) (Verdict, error) {
	for n := 1; ; n++ {
		c, err := w.record.Claim(ctx, record.ClaimRequest{Model: l.quota.Model, Task: t, Lease: w.limits.Lease})
		if paused, ok := errors.AsType[*record.PausedError](err); ok {
			if paused.For > 0 { // a pause by hand is not remembered: it may end any time
				l.close(paused.For)
			}
			return w.passOn(ctx, t, l.quota.Model, paused.For)
		}
		if stray, ok := errors.AsType[*record.ModelError](err); ok {
			verdict, err := w.passOn(ctx, t, stray.Model, 0)
			if err != nil || n == maxImages || w.mayBegin(ctx) != nil {
				return verdict, err
			}
			continue
		}
		if err != nil {
			return claimVerdict(ctx, err)
		}
		a := w.newAttempt(l, c, slot)
		verdict, err := a.run(ctx)
		if err != nil || a.report.Asked() || a.requeued || n == maxImages || w.mayBegin(ctx) != nil {
			return verdict, err
		}
		slot = a.slot
	}
}
