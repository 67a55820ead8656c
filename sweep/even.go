package sweep

import (
	"context"

	"github.com/ai-worker/ai-worker/lane"
)

const (
	// unevenBy is by how many minutes of work two lanes of one model must differ
	// before images move. Less than that is the noise of what comes and goes.
	unevenBy = 5.0
	// evenWithin is by how many minutes of work they may differ afterwards.
	evenWithin = 1.0
	// givenAtOnce is how many minutes of work one sweep gives a lane. It is a
	// little more than what the lane does until the next sweep.
	givenAtOnce = 12.0
	// probes is how many images a lane on probation gets, to show whether it is
	// in order.
	probes = 2
)

// A side is a lane with the work that waits on it.
type side struct {
	lane  lane.Lane
	load  lane.Load
	room  int     // images that it may still be given in this sweep
	reach float64 // minutes until it reaches one more image
}

// even moves images of one model from the lane that takes longest to do its work to
// the one that is done first, until both take about the same time. A lane that is
// closed counts with the time until it opens, and is given nothing.
func (p *placing) even(ctx context.Context, w waiting) (int, error) {
	for _, l := range w.quotas {
		from, to := p.sides(l.Model, w)
		if n := p.toMove(l.Model, from, to); n > 0 {
			tasks, err := p.Record.TasksOn(ctx, from.lane.Name, l.Model, n)
			if err != nil {
				return 0, err
			}
			places := make([]lane.Lane, len(tasks))
			for i := range places {
				places[i] = to.lane
			}
			n, err := p.move(ctx, w, tasks, l.Model, places)
			p.given[to.lane.Name] += n
			if n > 0 || err != nil {
				return n, err
			}
		}
	}
	return 0, nil
}

// sides returns the lane of a model that takes longest to do its work, and the one
// that is done first of those that are open. They may be one and the same, or nil.
func (p *placing) sides(model string, w waiting) (from, to *side) {
	onProbation := make(map[string]bool)
	for _, s := range w.lanes {
		onProbation[s.Name] = s.Reason != nil
	}
	for _, l := range w.quotas {
		if l.Model != model || l.Paused {
			continue
		}
		s := &side{lane: l, load: w.loads[l.Name], room: int(givenAtOnce*float64(l.RPM)) - p.given[l.Name]}
		closed := s.load.Until.Sub(w.at).Minutes()
		s.reach = max(0, closed) + float64(s.load.Waiting)/float64(l.RPM)
		if onProbation[l.Name] {
			s.room = min(s.room, probes-s.load.Waiting-p.given[l.Name])
		}
		if from == nil || s.reach > from.reach {
			from = s
		}
		if closed <= 0 && (to == nil || s.reach < to.reach) {
			to = s
		}
	}
	return from, to
}

// toMove returns how many images of a model should move now, a page at most.
func (p *placing) toMove(model string, from, to *side) int {
	if from == nil || to == nil {
		return 0
	}
	gap := from.reach - to.reach
	if gap <= evenWithin || gap <= unevenBy && !p.evening[model] {
		return 0
	}
	n := int(gap / (1/float64(from.lane.RPM) + 1/float64(to.lane.RPM)))
	n = min(n, from.load.Waiting)
	if 0 < to.room && to.room < n {
		p.unfinished = true
	}
	n = max(0, min(n, to.room, page, p.left))
	p.evening[model] = p.evening[model] || n > 0
	return n
}
