package sweep

import (
	"context"
	"errors"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

// maxMoves bounds how many images one sweep moves, since each is an entry more on
// a queue. The next sweep, which comes soon then, does the rest.
const maxMoves = 2000

// A placing is the part of one sweep that gives images places: a lane to those that
// one serves, none to those that none does, and to lanes of one model about the
// same work. Lanes may have been added, removed, paused or given another model
// since the images were recorded, or have opened or closed.
//
// A task that is replaced stays on its queue. That is harmless: it brings a slot
// when it comes, and the claim takes whose turn it is.
type placing struct {
	*Sweeper

	left       int  // images that may still be moved
	unfinished bool // there was more to move than the sweep may
	// By model: what waits on its lanes is being evened out.
	evening map[string]bool
	given   map[string]int // images that were moved to each lane to even out
}

func newPlacing(s *Sweeper) *placing {
	return &placing{Sweeper: s, left: maxMoves, evening: make(map[string]bool), given: make(map[string]int)}
}

// A waiting is what the record said of everything that waits.
type waiting struct {
	models []record.ModelState
	lanes  []record.LaneState
	loads  map[string]lane.Load // by lane
	quotas []lane.Lane          // with those paused that are so by hand
	at     time.Time
}

// step moves a page of images at most: first those that are parked and need not be,
// then those that are on a lane which cannot draw them, then those that make a lane
// busier than others. It goes on as long as it moves something.
func (p *placing) step(ctx context.Context) (n int, more bool, err error) {
	w := waiting{loads: make(map[string]lane.Load), at: time.Now()}
	if w.models, err = p.Record.Models(ctx); err != nil {
		return 0, false, err
	}
	if w.lanes, err = p.Record.LaneStates(ctx); err != nil {
		return 0, false, err
	}
	for _, s := range w.lanes {
		w.loads[s.Name] = lane.Load{Waiting: s.Waiting, Until: s.Until, Paused: s.PausedByHand()}
	}
	w.quotas = lane.WithPauses(p.Lanes, w.loads)
	for _, move := range []func(context.Context, waiting) (int, error){p.unpark, p.moveStrays, p.even} {
		if n, err = move(ctx, w); n > 0 || err != nil {
			break
		}
	}
	p.left -= n
	p.unfinished = p.unfinished || p.left <= 0
	return n, n > 0 && p.left > 0 && err == nil, err
}

// unpark gives tasks to parked images of a model that a lane serves again.
func (p *placing) unpark(ctx context.Context, w waiting) (int, error) {
	for _, m := range w.models {
		if !m.Parked {
			continue
		}
		var places []record.Place
		for _, l := range lane.Choose(w.quotas, w.loads, m.Model, min(page, p.left), w.at) {
			places = append(places, placeOn(l))
		}
		tasks, err := p.Record.Unpark(ctx, m.Model, places)
		if len(tasks) > 0 || err != nil {
			return len(tasks), errors.Join(err, p.putAll(ctx, w, tasks))
		}
	}
	return 0, nil
}

// moveStrays moves images whose task is on a lane that is gone, is paused, or asks
// for another model. If no lane serves their model, it parks them.
func (p *placing) moveStrays(ctx context.Context, w waiting) (int, error) {
	for _, s := range w.lanes {
		l, known := lane.Find(w.quotas, s.Name)
		usable := known && !l.Paused
		for _, m := range w.models {
			if s.Waiting <= 0 || usable && l.Model == m.Model {
				continue
			}
			tasks, err := p.Record.TasksOn(ctx, s.Name, m.Model, min(page, p.left))
			if err != nil {
				return 0, err
			}
			to := lane.Choose(w.quotas, w.loads, m.Model, len(tasks), w.at)
			if n, err := p.move(ctx, w, tasks, m.Model, to); n > 0 || err != nil {
				return n, err
			}
		}
	}
	return 0, nil
}

// move gives the images of a model that hold tasks a place on one lane each, or
// parks them if there are no lanes. It returns how many it moved: others were
// delivered meanwhile.
func (p *placing) move(ctx context.Context, w waiting, tasks []job.Task, model string, to []lane.Lane) (int, error) {
	at := make(map[job.Task]lane.Lane, len(tasks))
	for i, l := range to {
		at[tasks[i]] = l
	}
	next := make(chan job.Task, len(tasks))
	n, err := forEach(ctx, tasks, func(ctx context.Context, t job.Task) (bool, error) {
		var err error
		if l, ok := at[t]; ok {
			var moved job.Task
			if moved, err = p.Record.Postpone(ctx, t, model, placeOn(l)); err == nil {
				next <- moved
			}
		} else {
			err = p.Record.Park(ctx, t, model)
		}
		if errors.Is(err, record.ErrHeld) || errors.Is(err, record.ErrNothingDue) || errors.Is(err, record.ErrOtherModel) {
			return false, nil
		}
		return err == nil, err
	})
	close(next)
	var put []job.Task
	for t := range next {
		put = append(put, t)
	}
	return n, errors.Join(err, p.putAll(ctx, w, put))
}

// putAll puts tasks on their lanes' queues, to be delivered when the lanes are open.
func (p *placing) putAll(ctx context.Context, w waiting, tasks []job.Task) error {
	on := make(map[string][]job.Task)
	for _, t := range tasks {
		on[t.Lane] = append(on[t.Lane], t)
	}
	var errs []error
	for name, tasks := range on {
		var at time.Time
		if until := w.loads[name].Until; until.After(w.at) {
			at = until
		}
		errs = append(errs, p.Producer.Put(ctx, at, tasks...))
	}
	return errors.Join(errs...)
}
