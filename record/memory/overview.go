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

// Overview implements record.Operators.
func (r *Record) Overview(ctx context.Context) (o record.Overview, err error) {
	err = r.view(ctx, func(now time.Time) error {
		o = record.Overview{
			At: now, Lanes: r.laneStates(), InFlight: r.inFlight(), Models: r.modelStates(), Backlog: r.backlog(record.UnsentAge, now),
			Tenants: r.tenantStates(now), Ended: r.endedLately(now),
		}
		o.Waiting = len(o.Tenants)
		o.Tenants = o.Tenants[:min(len(o.Tenants), record.MaxTenants)]
		return nil
	})
	return o, err
}

// inFlight counts the images that are worked on, by the lane of their task.
func (r *Record) inFlight() map[string]int {
	n := make(map[string]int)
	for _, p := range r.places(func(p place) bool { return !p.image.queued() }) {
		n[p.image.Task.Lane]++
	}
	return n
}

// tenantStates returns what waits of each tenant, the one with the most first.
func (r *Record) tenantStates(now time.Time) []record.TenantState {
	states := make(map[string]record.TenantState)
	for _, p := range r.places(func(p place) bool { return p.image.queued() }) {
		s := states[p.entry.Job.Tenant]
		s.Tenant = p.entry.Job.Tenant
		s.Waiting++
		s.Waits = max(s.Waits, now.Sub(p.entry.Job.CreatedAt))
		states[s.Tenant] = s
	}
	return slices.SortedFunc(maps.Values(states), func(a, b record.TenantState) int {
		return cmp.Or(cmp.Compare(b.Waiting, a.Waiting), cmp.Compare(a.Tenant, b.Tenant))
	})
}

// endedLately counts the jobs that ended of late, the latest first.
func (r *Record) endedLately(now time.Time) record.Ended {
	ended := r.endedSince(now.Add(-record.EndedSince))
	counted := make(map[job.Status]int)
	for _, e := range ended[:min(len(ended), record.MaxEnded)] {
		counted[e.snapshot().Status]++
	}
	return record.Ended{Jobs: counted, More: len(ended) > record.MaxEnded}
}
