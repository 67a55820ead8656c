package memory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// A sighting is what was found by looking at some jobs.
type sighting struct {
	found  []*entry // those that were wanted
	looked int
	last   *entry // that was looked at; nil if there was none
	more   bool   // there are jobs after it
}

// since returns when the last job that was looked at was recorded.
func (s sighting) since() time.Time {
	if s.last == nil {
		return time.Time{}
	}
	return s.last.Job.CreatedAt
}

// next returns the cursor of the next page.
func (s sighting) next() string {
	if !s.more {
		return ""
	}
	return s.last.Job.ID
}

// search looks at jobs until it has found as many as a limit.
func (r *Record) search(q record.SearchQuery, limit int, stored bool) (s sighting) {
	for _, e := range r.searched(q) {
		if len(s.found) == limit || s.looked == q.Look() {
			s.more = true
			break
		}
		s.looked++
		if s.last = e; e.matches(q, stored) {
			s.found = append(s.found, e)
		}
	}
	return s
}

// searched returns the jobs that Search looks at, the newest first.
func (r *Record) searched(q record.SearchQuery) []*entry {
	ids, ok := q.IDs()
	var all []*entry
	for id, e := range r.jobs {
		if ok && id >= ids.From && id <= ids.To && id < ids.Before && (q.Tenant == "" || e.Job.Tenant == q.Tenant) {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(e, f *entry) int { return cmp.Compare(f.Job.ID, e.Job.ID) })
	return all
}

// matches reports whether a job that is looked at is wanted: with stored, only one
// that has a stored picture.
func (e *entry) matches(q record.SearchQuery, stored bool) bool {
	j := e.snapshot()
	since := !q.EndedSince.IsZero() && !j.CompletedAt.Before(q.EndedSince)
	return (len(q.Statuses) == 0 || slices.Contains(q.Statuses, j.Status) || since) &&
		strings.Contains(record.SearchText(j.Input.Prompt), q.Folded()) &&
		j.CostMicros() >= q.MinCostMicros &&
		slices.ContainsFunc(e.Images, func(i *image) bool {
			return (q.Code == "" || i.Image.Error != nil && i.Image.Error.Code == q.Code) &&
				(q.Lane == "" || i.lane() == q.Lane) &&
				(q.Model == "" || i.Model == q.Model) &&
				(!stored || i.Image.Status == job.StatusSucceeded)
		})
}

// lane returns the lane where the image waits, or else where it was last claimed,
// or where it waited when it ended.
func (i *image) lane() string {
	if i.queued() {
		return i.Task.Lane
	}
	return cmp.Or(i.ClaimLane, i.Task.Lane)
}

// Search implements record.Board.
func (r *Record) Search(ctx context.Context, q record.SearchQuery) (page record.SearchPage, err error) {
	err = r.view(ctx, func(time.Time) error {
		s := r.search(q, q.Limit, false)
		page = record.SearchPage{Looked: s.looked, Next: s.next(), Since: s.since()}
		for _, e := range s.found {
			page.Jobs = append(page.Jobs, record.NewBoardJob(e.snapshot()))
		}
		return nil
	})
	return page, err
}

// Count implements record.Board.
func (r *Record) Count(ctx context.Context, q record.SearchQuery) (t record.StatusTally, err error) {
	q.Cursor = ""
	err = r.view(ctx, func(time.Time) error {
		s := r.search(q, q.Look(), false)
		t.More, t.Looked, t.Since = s.more, s.looked, s.since()
		for _, e := range s.found {
			t.Add(e.snapshot().Status, 1)
		}
		return nil
	})
	return t, err
}

// Pictures implements record.Board.
func (r *Record) Pictures(ctx context.Context, q record.PictureQuery) (page record.PicturePage, err error) {
	err = r.view(ctx, func(time.Time) error {
		s := r.search(q.Search(), q.Limit, true)
		page = record.PicturePage{Looked: s.looked, Next: s.next(), Since: s.since()}
		for _, e := range s.found {
			page.Jobs = append(page.Jobs, record.NewPictureJob(e.snapshot()))
		}
		return nil
	})
	return page, err
}
