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
	d.IdempotencyKey, d.Budgets.Webhooks = "", false
	err = r.view(ctx, func(now time.Time) error {
		if err := r.checkRoom(d); err != nil {
			return err
		}
		var unkept change
		tenants, lanes, budgets := maps.Clone(r.tenants), maps.Clone(r.lanes), maps.Clone(r.budgets)
		e, err := r.insert(d, now, &crossings{}, &unkept)
		if err != nil {
			return err
		}
		for _, i := range e.Images {
			if i.Image.HeldBy != "" {
				out.Held, out.HeldBy = out.Held+1, i.Image.HeldBy
			}
		}
		out.Paused = r.paused(now)
		if first, last := e.next(), e.last(); first != nil {
			ahead, lastAhead := r.ahead(place{e, first}), r.ahead(place{e, last})
			out.Ahead, out.LastAhead = &ahead, &lastAhead
		}
		r.deleteJob(e, &unkept)
		r.tenants, r.lanes, r.budgets = tenants, lanes, budgets
		return nil
	})
	return out, err
}

// last returns the last of the job's images that has a place, or nil.
func (e *entry) last() (last *image) {
	for _, i := range e.Images {
		if i.placed() {
			last = i
		}
	}
	return last
}
