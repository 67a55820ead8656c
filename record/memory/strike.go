package memory

import (
	"context"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/record"
)

// Strike implements record.Record.
func (r *Record) Strike(ctx context.Context, claim record.Claim, lanes []string) (disproved int, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		p, err := r.claimed(claim)
		if err != nil {
			return err
		}
		if i := p.image; i.StruckAt.Before(i.Image.StartedAt) { // otherwise this claim has struck already
			r.strike(i, lanes, now)
			r.setJob(p.entry, c)
		}
		disproved = p.image.Strikes
		return nil
	})
	return disproved, err
}

// strike counts a strike if others have disproved it, and begins a new one.
// Otherwise the one before goes on. If a lane is new in it, it goes on from now:
// what was proved of that lane before tells nothing.
func (r *Record) strike(i *image, lanes []string, now time.Time) {
	if r.disproved(i) || i.Strikes > 0 && r.allUp(lanes) {
		i.Strikes++
		i.StruckLanes = nil
	}
	for _, name := range lanes {
		if !slices.Contains(i.StruckLanes, name) {
			i.StruckAt, i.StruckLanes = now, append(i.StruckLanes, name)
		}
	}
}

// disproved reports whether another image was claimed after the image's last
// strike and had a good answer on one of its lanes.
func (r *Record) disproved(i *image) bool {
	return slices.ContainsFunc(i.StruckLanes, func(name string) bool { return r.lanes[name].Proved.After(i.StruckAt) })
}

// allUp reports whether no lane is paused or on probation.
func (r *Record) allUp(lanes []string) bool {
	return !slices.ContainsFunc(lanes, func(name string) bool { return !r.lanes[name].Since.IsZero() })
}

// struck reports whether the image has ever struck a lane.
func (i *image) struck() bool { return !i.StruckAt.IsZero() }

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}
