package lane

import (
	"slices"
	"time"
)

// A Load is what is known of a lane's queue.
type Load struct {
	Waiting int       // images whose task is on it
	Until   time.Time // the lane is closed until then
	Paused  bool      // an operator has paused the lane by hand
}

// WithPauses returns the lanes with those paused that operators have paused by
// hand.
func WithPauses(lanes []Lane, states map[string]Load) []Lane {
	lanes = slices.Clone(lanes)
	for i, l := range lanes {
		lanes[i].Paused = l.Paused || states[l.Name].Paused
	}
	return lanes
}

// Choose returns for each of n images the lane that will reach it first, among those
// that serve the model and are not paused, also by hand. All of them ask for the one
// model that ModelFor returns. The first is the lane with the fewest minutes of work in
// front of it, backlog ÷ RPM. A closed lane counts with the time until it opens. Each
// image counts into the backlog of the next. Choose returns nil if none serves the model.
func Choose(lanes []Lane, states map[string]Load, model string, n int, now time.Time) []Lane {
	type candidate struct {
		lane  Lane
		reach float64 // minutes until it reaches one more image
	}
	lanes = WithPauses(lanes, states)
	drawnBy := ModelFor(lanes, model)
	var candidates []candidate
	for _, l := range lanes {
		if l.Paused || l.Model != drawnBy {
			continue
		}
		s := states[l.Name]
		closed := max(0, s.Until.Sub(now).Minutes())
		candidates = append(candidates, candidate{l, closed + float64(s.Waiting)/float64(l.RPM)})
	}
	if len(candidates) == 0 {
		return nil
	}
	chosen := make([]Lane, n)
	for i := range chosen {
		first := 0
		for j, c := range candidates {
			if c.reach < candidates[first].reach {
				first = j
			}
		}
		chosen[i] = candidates[first].lane
		candidates[first].reach += 1 / float64(candidates[first].lane.RPM)
	}
	return chosen
}
