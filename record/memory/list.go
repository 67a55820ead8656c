package memory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/record"
)

// List implements record.Record.
func (r *Record) List(ctx context.Context, q record.Query) (page record.Page, err error) {
	err = r.view(ctx, func(time.Time) error {
		var looked []record.Looked
		for _, e := range r.candidates(q) {
			if len(looked) < q.Look() {
				looked = append(looked, record.Looked{Cursor: cursor(e), Wanted: e.wanted(q)})
			}
		}
		found, next := q.Page(looked)
		page.Next = next
		var room record.Room
		for _, c := range found {
			j := r.jobs[c.ID].snapshot()
			if !room.Take(j) {
				page.Next = record.CursorOf(page.Jobs[len(page.Jobs)-1])
				break
			}
			page.Jobs = append(page.Jobs, j)
		}
		return nil
	})
	return page, err
}

// candidates returns the jobs that an index leads to: those of the tenant and
// of the time, and with the first pair of metadata, or else with one of the
// statuses. The newest comes first.
func (r *Record) candidates(q record.Query) []*entry {
	var found []*entry
	for _, e := range r.jobs {
		if e.listed(q) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(e, f *entry) int { return -e.compareCursor(cursor(f)) })
	return found
}

func (e *entry) listed(q record.Query) bool {
	at := e.Job.CreatedAt
	switch {
	case e.Job.Tenant != q.Tenant,
		!q.From.IsZero() && at.Before(q.From),
		!q.To.IsZero() && !at.Before(q.To),
		!q.After.IsZero() && e.compareCursor(q.After) >= 0:
		return false
	case len(q.Metadata) > 0:
		return e.hasPair(q.Metadata[0])
	default:
		return e.hasStatus(q)
	}
}

// wanted reports whether a candidate is what the query asks for.
func (e *entry) wanted(q record.Query) bool {
	for _, p := range q.Metadata {
		if !e.hasPair(p) {
			return false
		}
	}
	return e.hasStatus(q) && strings.Contains(record.SearchText(e.Job.Input.Prompt), q.Folded())
}

func (e *entry) hasStatus(q record.Query) bool {
	return len(q.Statuses) == 0 || slices.Contains(q.Statuses, e.snapshot().Status)
}

func (e *entry) hasPair(p record.Pair) bool { return slices.Contains(record.Pairs(e.Metadata), p) }

// compareCursor orders a job and a place by time and then by id.
func (e *entry) compareCursor(c record.Cursor) int {
	return cmp.Or(e.Job.CreatedAt.Compare(c.CreatedAt), cmp.Compare(e.Job.ID, c.ID))
}

func cursor(e *entry) record.Cursor { return record.Cursor{CreatedAt: e.Job.CreatedAt, ID: e.Job.ID} }
