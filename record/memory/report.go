package memory

import (
	"context"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Backlog implements record.Reporter.
func (r *Record) Backlog(ctx context.Context, unsent time.Duration) (b record.Backlog, err error) {
	err = r.view(ctx, func(now time.Time) error {
		b = r.backlog(unsent, now)
		return nil
	})
	return b, err
}

func (r *Record) backlog(unsent time.Duration, now time.Time) (b record.Backlog) {
	var oldest time.Time
	for _, p := range r.places(func(place) bool { return true }) {
		if p.image.queued() {
			b.Waiting++
			b.Parked += count(p.image.Image.Parked)
			b.Held += count(p.image.Image.HeldBy != "")
			oldest = earliest(oldest, p.entry.Job.CreatedAt)
		} else {
			b.Processing++
		}
		if p.image.unsent(now.Add(-micros(unsent))) && b.Unsent < record.MaxUnsent {
			b.Unsent++
		}
	}
	b.Untold = len(first(record.MaxUnsent, slices.Concat(r.jobHooks(), r.hooksOf("")), func(h *hook) bool { return !h.Sent }))
	if b.Waiting == 0 {
		return b
	}
	b.Waits = now.Sub(oldest)
	b.Idle = b.Waits
	if active := r.lastActive(); !active.IsZero() {
		b.Idle = max(0, min(now.Sub(active), b.Waits))
	}
	return b
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// lastActive returns when an image last started or ended, as far as the open
// jobs and the latest ended job show it. It returns the zero time if none has.
func (r *Record) lastActive() time.Time {
	var active time.Time
	for _, e := range r.open {
		for _, i := range e.Images {
			active = latest(active, i.Image.StartedAt, i.Image.CompletedAt)
		}
	}
	if ended := r.endedSince(time.Time{}); len(ended) > 0 {
		active = latest(active, ended[0].Job.CompletedAt)
	}
	return active
}

// earliest returns the earlier of two times. If a is zero, it returns b.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func latest(t time.Time, others ...time.Time) time.Time {
	for _, other := range others {
		if other.After(t) {
			t = other
		}
	}
	return t
}

// Outcomes implements record.Reporter.
func (r *Record) Outcomes(ctx context.Context, since time.Duration) (out record.Outcomes, err error) {
	err = r.view(ctx, func(now time.Time) error {
		took := make(map[string][]time.Duration) // by model
		ended := r.endedSince(now.Add(-max(micros(since), record.RunsSince)))
		for _, e := range ended[:min(record.MaxOutcomes, len(ended))] {
			lately := 0
			if e.Job.CompletedAt.After(now.Add(-micros(since))) {
				lately = 1
			}
			for _, i := range e.Images {
				img, model := i.Image, i.Model
				if img.Status == job.StatusSucceeded && len(took[model]) < record.MaxRuns {
					took[model] = append(took[model], img.CompletedAt.Sub(img.StartedAt))
				}
				out.Add(model, img.Status, code(img.Error), lately, nil)
			}
		}
		for model, t := range took {
			out.Add(model, job.StatusSucceeded, "", 0, t)
		}
		return nil
	})
	return out, err
}

func code(e *job.Error) job.Code {
	if e == nil {
		return ""
	}
	return e.Code
}
