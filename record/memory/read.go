package memory

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// Get implements record.Record.
func (r *Record) Get(ctx context.Context, id string) (j job.Job, err error) {
	err = r.view(ctx, func(time.Time) error {
		e := r.jobs[id]
		if e == nil {
			return record.ErrNotFound
		}
		j = e.snapshot()
		if j.Status == job.StatusQueued {
			n := r.ahead(e)
			j.Ahead = &n
		}
		return nil
	})
	return j, err
}

// ahead estimates how many images start before the first one of a job that has
// not started. It looks at tenants and not at each of their images: it must
// give the same answer as a record in which a million images wait.
func (r *Record) ahead(e *entry) int {
	first := place{e, e.Images[slices.IndexFunc(e.Images, (*image).queued)]}
	n := 0
	for name, t := range r.tenants {
		if name.Class.Model == e.Job.Input.Model && rank(name.Class.Priority) <= rank(e.Job.Priority) {
			n += r.tenantsTurns(name, t, first)
		}
	}
	// Of each tenant, one image may have the same tag as the first one. Such an
	// image counts if it was recorded earlier.
	level := r.places(func(p place) bool {
		return p.entry.class() == e.class() && p.image.StartTag == first.image.StartTag &&
			p.image.queued() && p.image.Ready && p.compareRecorded(first) < 0
	})
	return n + len(level)
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
