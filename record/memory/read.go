package memory

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Get implements record.Record.
func (r *Record) Get(ctx context.Context, id string) (j job.Job, err error) {
	err = r.view(ctx, func(now time.Time) error {
		e := r.jobs[id]
		if e == nil {
			return record.ErrNotFound
		}
		j = r.get(e, now)
		return nil
	})
	return j, err
}

// get returns a job with what Get tells besides.
func (r *Record) get(e *entry, now time.Time) job.Job {
	j := e.snapshot()
	if next := e.next(); next != nil {
		n := r.ahead(place{e, next})
		j.Ahead = &n
	}
	if j.Progress().Queued > 0 {
		j.Paused = r.paused(now)
	}
	return j
}

// Known implements record.Record.
func (r *Record) Known(ctx context.Context, ids ...string) (known []string, err error) {
	err = r.view(ctx, func(time.Time) error {
		for _, id := range ids {
			if r.jobs[id] != nil {
				known = append(known, id)
			}
		}
		slices.Sort(known)
		known = slices.Compact(known)
		return nil
	})
	return known, err
}

// next returns the first of the job's images that is ready, or else the first
// that is queued and has a place, or nil if there is none.
func (e *entry) next() *image {
	i := slices.IndexFunc(e.Images, func(i *image) bool { return i.queued() && i.Ready })
	if i < 0 {
		i = slices.IndexFunc(e.Images, func(i *image) bool { return i.queued() && i.placed() })
	}
	if i < 0 {
		return nil
	}
	return e.Images[i]
}

// paused returns the lanes that may not be used now, by name.
func (r *Record) paused(now time.Time) []job.PausedLane {
	var paused []job.PausedLane
	for _, name := range slices.Sorted(maps.Keys(r.lanes)) {
		if l := r.lanes[name]; l.paused(now) {
			paused = append(paused, job.PausedLane{Name: name, Until: l.Until, Code: code(l.Reason), ByHand: !l.ByHand.At.IsZero()})
		}
	}
	return paused
}

// ahead estimates how many images start before a queued one. It looks at tenants
// and not at each of their images: it must give the same answer as a record in
// which a million images wait.
func (r *Record) ahead(first place) int {
	e := first.entry
	n := 0
	for name, t := range r.tenants {
		if name.Class.Model == first.image.Model && rank(name.Class.Priority) <= rank(e.Job.Priority) {
			n += r.tenantsTurns(name, t, first)
		}
	}
	// Of each tenant, one image may have the same tag as the first one. Such an
	// image counts if it was recorded earlier.
	level := r.places(func(p place) bool {
		return p.class() == first.class() && p.image.StartTag == first.image.StartTag &&
			p.image.queued() && p.image.Ready && p.compareRecorded(first) < 0
	})
	return max(0, n+len(level)-e.passedOver(first.image))
}

// passedOver returns how many of the job's images have an earlier turn than one
// of them, and wait for a time.
func (e *entry) passedOver(by *image) int {
	n := 0
	for _, i := range e.Images {
		if i.queued() && !i.Ready && i.StartTag < by.StartTag {
			n++
		}
	}
	return n
}

// tenantsTurns estimates how many images of a tenant go before another image.
// It assumes that the tenant's waiting images are its latest, with tags
// 1/weight apart up to its finish tag. Those that fit between the other image
// and the finish tag come later. The estimate is wrong for a tenant that
// canceled images, or whose weight changed, until the images of that time have
// had their turn. The thousandth makes up for rounding.
func (r *Record) tenantsTurns(name tenantName, t tenant, other place) int {
	waiting := r.waiting(name)
	if rank(name.Class.Priority) < rank(other.entry.Job.Priority) {
		return waiting
	}
	later := int(math.Floor((t.Finish-other.image.StartTag)*t.Weight + 0.001))
	return min(waiting, max(0, waiting-later))
}
