package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Postpone implements record.Record. The claim that put the image back stays
// valid: its holder may still repeat that call.
func (r *Record) Postpone(
	ctx context.Context, t job.Task, model string, to record.Place,
) (next job.Task, err error) {
	err = r.moveWaiting(ctx, t, model, func(p place, now time.Time, c *change) {
		r.relabel([]place{p}, to.Model, c)
		i := p.image
		i.redispatch(p.entry.Job.ID, to.Lane, now)
		i.Ready = i.Ready || !i.DueAt.After(now)
		next = i.Task
		r.addLanes(c, to.Lane)
	})
	return next, err
}

// Park implements record.Record.
func (r *Record) Park(ctx context.Context, t job.Task, model string) error {
	return r.moveWaiting(ctx, t, model, func(p place, now time.Time, _ *change) {
		p.image.park(p.entry, now)
	})
}

// moveWaiting makes the changes of move to the queued image of a model that holds
// a task.
func (r *Record) moveWaiting(
	ctx context.Context, t job.Task, model string, move func(p place, now time.Time, c *change),
) error {
	return r.update(ctx, func(now time.Time, c *change) error {
		p, held := r.holder(t)
		switch {
		case !held:
			return record.ErrNothingDue
		case !p.image.queued() || p.image.Model != model:
			return p.notOf(model)
		}
		move(p, now, c)
		r.setJob(p.entry, c)
		return nil
	})
}

// notOf returns the error for a task whose image is not a queued one of a model.
func (p place) notOf(model string) error {
	if p.image.queued() && p.image.Model != model {
		return &record.ModelError{Model: p.image.Model}
	}
	return record.ErrHeld
}

// relabel makes queued images of one model those of another. They get start tags
// as if each tenant had just asked for all of its images. If they are of that
// model already, they keep their turns.
func (r *Record) relabel(moving []place, model string, c *change) {
	if len(moving) == 0 || moving[0].image.Model == model {
		return
	}
	of := make(map[tenantName][]place)
	for _, p := range moving {
		of[p.tenant()] = append(of[p.tenant()], p)
	}
	for name, images := range of {
		weight := r.tenants[name].Weight
		name.Class.Model = model
		tag := r.startTag(name)
		for n, p := range images {
			p.image.Model, p.image.StartTag = model, tag+float64(n)/weight
		}
		r.setTenant(name, tenant{Finish: tag + float64(len(images))/weight, Weight: weight}, c)
	}
}

// Unpark implements record.Record.
func (r *Record) Unpark(ctx context.Context, model string, to []record.Place) (tasks []job.Task, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		parked := r.places(func(p place) bool { return p.image.Image.Parked && p.image.Model == model })
		slices.SortFunc(parked, place.compare)
		parked = parked[:min(len(to), len(parked))]
		if len(parked) > 0 {
			r.relabel(parked, to[0].Model, c)
		}
		for n, p := range parked {
			i := p.image
			i.redispatch(p.entry.Job.ID, to[n].Lane, now)
			i.Image.Parked, i.Ready, i.DueAt = false, true, now
			tasks = append(tasks, i.Task)
			r.setJob(p.entry, c)
			r.addLanes(c, to[n].Lane)
		}
		return nil
	})
	return tasks, err
}

// TasksOn implements record.Record.
func (r *Record) TasksOn(ctx context.Context, lane, model string, limit int) (tasks []job.Task, err error) {
	err = r.view(ctx, func(now time.Time) error {
		on := r.places(func(p place) bool {
			i := p.image
			return i.queued() && i.Task.Lane == lane && i.Model == model && i.placed() && (i.Ready || !i.DueAt.After(now))
		})
		slices.SortFunc(on, func(p, q place) int { return -p.compare(q) })
		for _, p := range on[:min(limit, len(on))] {
			tasks = append(tasks, p.image.Task)
		}
		return nil
	})
	return tasks, err
}

// Models implements record.Reporter.
func (r *Record) Models(ctx context.Context) (states []record.ModelState, err error) {
	err = r.view(ctx, func(time.Time) error {
		states = r.modelStates()
		return nil
	})
	return states, err
}

func (r *Record) modelStates() []record.ModelState {
	of := make(map[string]record.ModelState)
	for _, p := range r.places(func(p place) bool { return p.image.queued() }) {
		s := of[p.image.Model]
		s.Model, s.Waiting, s.Parked = p.image.Model, s.Waiting+1, s.Parked || p.image.Image.Parked
		of[s.Model] = s
	}
	return slices.SortedFunc(maps.Values(of), func(a, b record.ModelState) int { return cmp.Compare(a.Model, b.Model) })
}
