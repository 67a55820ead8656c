package memory

import (
	"context"
	"maps"
	"time"

	"github.com/ai-worker/ai-worker/record"
)

// Outlook implements record.Record. It records the job, looks at it, and takes it
// back.
func (r *Record) Outlook(ctx context.Context, d record.Draft) (out record.Outlook, err error) {
	d.IdempotencyKey = ""
	err = r.view(ctx, func(now time.Time) error {
		if err := d.CheckWaiting(r.waitingOf(d.Tenant)); err != nil {
			return err
		}
		var unkept change
		tenants, lanes := maps.Clone(r.tenants), maps.Clone(r.lanes)
		e, err := r.insert(d, now, &unkept)
		if err != nil {
			return err
		}
		out.Paused = r.paused(now)
		if first, last := e.next(), e.last(); first != nil {
			ahead, lastAhead := r.ahead(place{e, first}), r.ahead(place{e, last})
			out.Ahead, out.LastAhead = &ahead, &lastAhead
		}
		r.deleteJob(e, &unkept)
		r.tenants, r.lanes = tenants, lanes
		return nil
	})
	return out, err
}

// last returns the last of the job's images that is not parked, or nil.
func (e *entry) last() (last *image) {
	for _, i := range e.Images {
		if !i.Image.Parked {
			last = i
		}
	}
	return last
}
