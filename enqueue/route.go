package enqueue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/lane"
)

// ErrNoLane means that no lane serves the model, and none would if it was not
// paused.
var ErrNoLane = errors.New("enqueue: no lane serves the model")

// Route chooses the lane that will soonest reach one more image of the model.
// It also returns the time before which that lane cannot: zero, or when the
// lane opens. It returns an empty lane if none serves the model, or
// those that do are paused in the settings or by hand.
func (p *Producer) Route(ctx context.Context, model string) (name string, at time.Time, err error) {
	states, err := p.states(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	now := time.Now()
	chosen := lane.Choose(p.lanes, states, model, 1, now)
	if chosen == nil {
		return "", time.Time{}, nil
	}
	name = chosen[0].Name
	if until := states[name].Until; until.After(now) {
		at = until
	}
	return name, at, nil
}

// choose returns the lane of each of n images, and the model that draws them. If
// all lanes that serve the model are paused, it returns no lanes, and the images
// wait. It fails with ErrNoLane.
func (p *Producer) choose(ctx context.Context, model string, n int) (lanes []string, drawnBy string, err error) {
	if !slices.ContainsFunc(p.lanes, func(l lane.Lane) bool { return l.Serves(model) }) {
		return nil, "", fmt.Errorf("%w %q", ErrNoLane, model)
	}
	lanes = make([]string, n)
	states := map[string]lane.Load{}
	if len(p.lanes) > 1 { // else there is no choice, and a delivery finds out whether the lane is paused
		if states, err = p.states(ctx); err != nil {
			return nil, "", err
		}
	}
	drawnBy = lane.ModelFor(lane.WithPauses(p.lanes, states), model)
	if drawnBy == "" {
		return lanes, model, nil
	}
	for i, l := range lane.Choose(p.lanes, states, model, n, time.Now()) {
		lanes[i] = l.Name
	}
	return lanes, drawnBy, nil
}

// states returns the states of all lanes.
func (p *Producer) states(ctx context.Context) (map[string]lane.Load, error) {
	recorded, err := p.record.LaneStates(ctx)
	if err != nil {
		return nil, err
	}
	states := make(map[string]lane.Load, len(recorded))
	for _, s := range recorded {
		states[s.Name] = lane.Load{Waiting: s.Waiting, Until: s.Until, Paused: s.PausedByHand()}
	}
	return states, nil
}
