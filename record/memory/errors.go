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

// Errors implements record.Board.
func (r *Record) Errors(ctx context.Context, since time.Time, limit int) (all record.ErrorGroups, err error) {
	since = record.KeptTime(since)
	err = r.view(ctx, func(now time.Time) error {
		failed, from := r.lately(since, record.MaxFailures, func(a job.Attempt) bool { return record.Failed(a.Outcome) })
		all = record.ErrorGroups{At: now, Looked: len(failed), Since: from}
		alike := make(map[record.ErrorName][]attempt)
		for _, a := range failed {
			name := record.ErrorName{Outcome: a.Outcome, Detail: record.NormalDetail(a.Detail), Lane: a.Lane}
			alike[name] = append(alike[name], a)
		}
		for name, attempts := range alike {
			all.Groups = append(all.Groups, errorGroup(name, attempts, now))
		}
		slices.SortFunc(all.Groups, func(g, h record.ErrorGroup) int {
			return cmp.Or(cmp.Compare(h.Attempts, g.Attempts), h.Last.Compare(g.Last),
				cmp.Compare(g.Outcome, h.Outcome), cmp.Compare(g.Detail, h.Detail), cmp.Compare(g.Lane, h.Lane))
		})
		all.More = len(all.Groups) > limit
		all.Groups = all.Groups[:min(limit, len(all.Groups))]
		return nil
	})
	return all, err
}

// errorGroup returns the group of attempts that failed alike. The latest comes
// first.
func errorGroup(name record.ErrorName, alike []attempt, now time.Time) record.ErrorGroup {
	latest := alike[0]
	g := record.ErrorGroup{
		Outcome: name.Outcome, Detail: name.Detail, Lane: name.Lane, Attempts: len(alike),
		First: alike[len(alike)-1].EndedAt, Last: latest.EndedAt, JobID: latest.JobID, Index: latest.Index, Number: latest.Number,
	}
	tenants := make(map[string]int)
	for _, a := range alike {
		tenants[a.Tenant]++
		if back := int(now.Sub(a.EndedAt) / time.Hour); back < record.ErrorHours {
			g.Hours[record.ErrorHours-1-back]++
		}
	}
	names := slices.SortedFunc(maps.Keys(tenants), func(a, b string) int {
		return cmp.Or(cmp.Compare(tenants[b], tenants[a]), cmp.Compare(a, b))
	})
	g.Tenants, g.TenantCount = names[:min(len(names), record.MaxErrorTenants)], len(names)
	return g
}
