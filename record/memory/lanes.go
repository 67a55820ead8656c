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

// A lane is the pause of a lane. The zero lane is one that was never paused. The
// images that wait on a lane are counted when that is asked.
type lane struct {
	Until  time.Time
	Since  time.Time
	Broken bool
	Reason *job.Error
	Proved time.Time // when the last image was claimed that had a good answer after a pause
	ByHand record.HandPause
}

// LaneStates implements record.Record.
func (r *Record) LaneStates(ctx context.Context) (states []record.LaneState, err error) {
	err = r.view(ctx, func(time.Time) error {
		states = r.laneStates()
		return nil
	})
	return states, err
}

func (r *Record) laneStates() (states []record.LaneState) {
	for _, name := range slices.Sorted(maps.Keys(r.lanes)) {
		states = append(states, r.laneState(name))
	}
	return states
}

func (r *Record) laneState(name string) record.LaneState {
	l := r.lanes[name]
	waiting := r.places(func(p place) bool { return p.image.queued() && p.image.placed() && p.image.Task.Lane == name })
	return record.LaneState{
		Name: name, Waiting: len(waiting), Until: l.Until, Broken: l.Broken, Reason: copyError(l.Reason), Since: l.Since,
		ByHand: l.ByHand,
	}
}

// checkUsable fails with a *record.PausedError if the lane may not be used now.
func (r *Record) checkUsable(name string, now time.Time) error {
	l := r.lanes[name]
	if !l.paused(now) {
		return nil
	}
	return &record.PausedError{Lane: r.laneState(name), For: max(0, l.Until.Sub(now))}
}

// paused reports whether no claim may use the lane.
func (l lane) paused(now time.Time) bool { return l.Until.After(now) || !l.ByHand.At.IsZero() }

// Pause implements record.Record.
func (r *Record) Pause(ctx context.Context, lanes []string, p record.Pause) error {
	return r.update(ctx, func(now time.Time, c *change) error {
		for _, name := range lanes {
			r.setLane(name, r.lanes[name].pausedBy(p, now), c)
		}
		return nil
	})
}

// pausedBy returns the lane as a pause leaves it. A longer pause stays as it
// is. If a broken lane is paused again only to wait, it keeps its reason.
func (l lane) pausedBy(p record.Pause, now time.Time) lane {
	until := now.Add(micros(p.For))
	if l.Until.After(until) {
		return l
	}
	next := lane{
		Until: until, Since: l.Since, Broken: l.Broken || p.Broken, Reason: &p.Reason, Proved: l.Proved, ByHand: l.ByHand,
	}
	if l.Broken && !p.Broken {
		next.Reason = l.Reason
	}
	next.Since = cmp.Or(next.Since, now)
	return next
}

// Resume implements record.Record.
func (r *Record) Resume(ctx context.Context, name string, claimed time.Time) error {
	var again bool // no claim is let through during a pause, so it began later
	err := r.update(ctx, func(_ time.Time, c *change) error {
		l, known := r.lanes[name]
		if again = l.Until.After(claimed); !again {
			l = lane{Proved: l.Proved, ByHand: l.ByHand}
		}
		l.Proved = latest(l.Proved, claimed)
		if known {
			r.setLane(name, l, c)
		}
		return nil
	})
	if err == nil && again {
		return record.ErrLanePaused
	}
	return err
}

// addLanes adds lanes that are given tasks and are not known yet.
func (r *Record) addLanes(c *change, names ...string) {
	for _, name := range names {
		if _, known := r.lanes[name]; !known {
			r.setLane(name, lane{}, c)
		}
	}
}
