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

// MeasureBulk implements record.BulkKeeper.
func (r *Record) MeasureBulk(ctx context.Context, q record.SearchQuery) (m record.BulkMeasure, err error) {
	q.Cursor = ""
	err = r.view(ctx, func(time.Time) error {
		s := r.search(q, record.MaxCounted, false)
		m.Tally = record.Tally{Jobs: len(s.found), More: s.more, Looked: s.looked, Since: s.since()}
		for _, e := range s.found {
			if retry, _ := r.retryOf(e.Job.ID, ""); retry != "" {
				m.Retried++
				continue
			}
			m.Groups = grouped(m.Groups, e.snapshot())
		}
		slices.SortFunc(m.Groups, func(a, b record.BulkGroup) int {
			return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(a.Size, b.Size))
		})
		return nil
	})
	return m, err
}

// grouped returns groups with the pictures of one more job.
func grouped(all []record.BulkGroup, j job.Job) []record.BulkGroup {
	i := slices.IndexFunc(all, func(g record.BulkGroup) bool { return g.Model == j.Input.Model && g.Size == j.Input.ImageSize })
	if i < 0 {
		i = len(all)
		all = append(all, record.BulkGroup{Model: j.Input.Model, Size: j.Input.ImageSize})
	}
	p := j.Progress()
	all[i].Queued += p.Queued
	all[i].Processing += p.Processing
	all[i].Lost += p.Failed + p.Canceled
	return all
}

// retryOf returns a retry of a job, or nothing: one of the bulk, or else the latest.
func (r *Record) retryOf(id, bulk string) (retry string, own bool) {
	for _, e := range r.jobs {
		of := e.Job.Input.Retry
		if of == nil || of.Of != id {
			continue
		}
		if its := bulk != "" && of.Bulk == bulk; its && !own || its == own && e.Job.ID > retry {
			retry, own = e.Job.ID, its
		}
	}
	return retry, own
}

// StartBulk implements record.BulkKeeper.
func (r *Record) StartBulk(ctx context.Context, d record.BulkDraft, a record.Act) (b record.Bulk, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		var known bool
		if b, known = r.bulks[d.ID]; known {
			return nil
		}
		b = record.Bulk{BulkDraft: d, Act: a, State: record.BulkRunning, At: now, MovedAt: now}
		r.setBulk(b, c)
		r.note(a, d.ID, d.Detail(), now, c)
		return nil
	})
	return b, err
}

// AbortBulk implements record.BulkKeeper.
func (r *Record) AbortBulk(ctx context.Context, id string, a record.Act) (b record.Bulk, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		kept, known := r.bulks[id]
		switch {
		case !known:
			return record.ErrNotFound
		case kept.State != record.BulkRunning:
			return record.ErrBulkEnded
		}
		kept.State, kept.AbortedBy, kept.AbortReason = record.BulkAborting, a.Who, a.Reason
		r.setBulk(kept, c)
		r.note(a, id, nil, now, c)
		b = kept
		return nil
	})
	return b, err
}

// Bulk implements record.BulkKeeper.
func (r *Record) Bulk(ctx context.Context, id string) (b record.Bulk, err error) {
	err = r.view(ctx, func(time.Time) error {
		var known bool
		if b, known = r.bulks[id]; !known {
			return record.ErrNotFound
		}
		return nil
	})
	return b, err
}

// Bulks implements record.BulkKeeper.
func (r *Record) Bulks(ctx context.Context, before string, limit int) (all []record.Bulk, err error) {
	err = r.view(ctx, func(time.Time) error {
		for _, b := range r.bulks {
			if before == "" || b.ID < before {
				all = append(all, b)
			}
		}
		slices.SortFunc(all, func(a, b record.Bulk) int { return cmp.Compare(b.ID, a.ID) })
		all = all[:min(len(all), limit)]
		return nil
	})
	return all, err
}

// RetireBulks implements record.BulkKeeper.
func (r *Record) RetireBulks(ctx context.Context, limit int) (n int, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		old := slices.DeleteFunc(slices.Collect(maps.Values(r.bulks)), func(b record.Bulk) bool {
			return b.EndedAt.IsZero() || !b.EndedAt.Before(now.Add(-record.AuditKept))
		})
		slices.SortFunc(old, func(a, b record.Bulk) int { return cmp.Or(a.EndedAt.Compare(b.EndedAt), cmp.Compare(a.ID, b.ID)) })
		n = min(limit, len(old))
		for _, b := range old[:n] {
			r.forgetBulk(b.ID, c)
		}
		return nil
	})
	return n, err
}

// OpenBulks implements record.BulkKeeper.
func (r *Record) OpenBulks(ctx context.Context, limit int) (all []record.Bulk, err error) {
	err = r.view(ctx, func(time.Time) error {
		for _, b := range r.bulks {
			if b.EndedAt.IsZero() {
				all = append(all, b)
			}
		}
		slices.SortFunc(all, func(a, b record.Bulk) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
		all = all[:min(len(all), limit)]
		return nil
	})
	return all, err
}

// BulkTargets implements record.BulkKeeper.
func (r *Record) BulkTargets(ctx context.Context, b record.Bulk, limit int) (t record.BulkTargets, err error) {
	err = r.view(ctx, func(time.Time) error {
		s := r.search(b.Targets(limit), limit, false)
		t.Next = s.next()
		for _, e := range s.found {
			target := record.BulkTarget{Job: e.snapshot()}
			target.Retry, target.Own = r.retryOf(e.Job.ID, b.ID)
			t.Jobs = append(t.Jobs, target)
		}
		return nil
	})
	return t, err
}

// AdvanceBulk implements record.BulkKeeper.
func (r *Record) AdvanceBulk(ctx context.Context, b record.Bulk, s record.BulkStep) (next record.Bulk, err error) {
	err = r.update(ctx, func(now time.Time, c *change) error {
		kept, known := r.bulks[b.ID]
		if !known || kept.Steps != b.Steps || !kept.EndedAt.IsZero() {
			return record.ErrBulkMoved
		}
		next = kept.After(s)
		next.MovedAt = now
		if s.End {
			next.EndedAt = now
			if next.State = record.BulkDone; kept.State == record.BulkAborting {
				next.State = record.BulkAborted
			}
		}
		r.setBulk(next, c)
		return nil
	})
	return next, err
}
