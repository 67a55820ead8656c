package sweep

import (
	"context"
	"errors"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

// put puts a task on its queue. If the task's lane is paused, or no longer
// configured, put replaces the task by one on another lane.
func (s *Sweeper) put(ctx context.Context, t job.Task) (bool, error) {
	if l, known := lane.Find(s.Lanes, t.Lane); !known || l.Paused {
		return true, s.passOn(ctx, t, l.Model)
	}
	return true, s.Producer.Put(ctx, time.Time{}, t)
}

// replace gives the image that holds a task another task, and puts that on a
// queue: the same one, if its lane can be used.
func (s *Sweeper) replace(ctx context.Context, t job.Task) error {
	l, known := lane.Find(s.Lanes, t.Lane)
	if !known || l.Paused {
		return s.passOn(ctx, t, l.Model)
	}
	return s.postpone(ctx, t, l.Model, l, time.Time{})
}

// passOn gives the image that holds a task, and is one of a model, a task on the
// lane that will reach it first. If no lane serves the model, the image is parked.
// It may turn out to be one of another model; then that decides.
func (s *Sweeper) passOn(ctx context.Context, t job.Task, model string) error {
	name, at, err := s.Producer.Route(ctx, model)
	if err != nil {
		return err
	}
	if l, known := lane.Find(s.Lanes, name); known {
		return s.postpone(ctx, t, model, l, at)
	}
	return s.elsewhere(ctx, t, s.Record.Park(ctx, t, model))
}

// postpone gives the image that holds a task, and is one of a model, another task
// on a lane, to be delivered not before at.
func (s *Sweeper) postpone(ctx context.Context, t job.Task, model string, to lane.Lane, at time.Time) error {
	next, err := s.Record.Postpone(ctx, t, model, placeOn(to))
	if err != nil {
		return s.elsewhere(ctx, t, err)
	}
	return s.Producer.Put(ctx, at, next)
}

// elsewhere handles the error of a move. If the image is of another model, it is
// passed on by that. If the task was delivered meanwhile, all is well.
func (s *Sweeper) elsewhere(ctx context.Context, t job.Task, err error) error {
	if stray, ok := errors.AsType[*record.ModelError](err); ok {
		return s.passOn(ctx, t, stray.Model)
	}
	if errors.Is(err, record.ErrHeld) || errors.Is(err, record.ErrNothingDue) {
		return nil
	}
	return err
}

func placeOn(l lane.Lane) record.Place { return record.Place{Lane: l.Name, Model: l.Model} }
