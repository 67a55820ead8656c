package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// A sighting is what was found by looking at some jobs.
type sighting struct {
	found  []string // ids of those that were wanted
	looked int
	since  time.Time // when the last one was recorded; zero if there was none
	next   string    // where to go on; empty at the end
}

// searchArgs returns the arguments of search and count. It returns false if no job
// can match.
func searchArgs(q record.SearchQuery, limit int, stored bool) (args pgx.NamedArgs, ok bool) {
	ids, ok := q.IDs()
	names := make([]string, len(q.Statuses))
	for i, s := range q.Statuses {
		names[i] = string(s)
	}
	return pgx.NamedArgs{
		"tenant": q.Tenant, "statuses": names, "text": q.Folded(), "code": string(q.Code), "lane": q.Lane, "model": q.Model,
		"cost": q.MinCostMicros, "stored": stored, "look": q.Look(), "limit": limit,
		"ended_since": timeArg(q.EndedSince), "from": uuidArg(ids.From), "to": uuidArg(ids.To), "before": uuidArg(ids.Before),
	}, ok
}

// search looks at jobs until it has found as many as the page has.
func (r *Record) search(ctx context.Context, q record.SearchQuery, stored bool) (s sighting, err error) {
	args, ok := searchArgs(q, q.Limit, stored)
	if !ok {
		return s, nil
	}
	err = r.send(ctx, call{statement: "search", args: args, read: func(rows pgx.Rows) error {
		var id string
		var wanted, more bool
		_, err := pgx.ForEachRow(rows, []any{&id, &s.since, &s.looked, &wanted, &more}, func() error {
			if wanted {
				s.found = append(s.found, id)
			}
			if s.next = ""; more {
				s.next = id
			}
			return nil
		})
		s.since = s.since.UTC()
		return err
	}})
	return s, err
}

// readFound reads jobs in the order in which they are named, and makes something
// of each. It leaves out those that are gone.
func readFound[T any](ctx context.Context, r *Record, ids []string, of func(job.Job) T) (all []T, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = r.send(ctx, call{statement: "read_listed", args: pgx.NamedArgs{"jobs": ids}, read: func(rows pgx.Rows) error {
		jobs, err := collectJobs(rows)
		for _, j := range jobs {
			all = append(all, of(j))
		}
		return err
	}})
	return all, err
}

// Search implements record.Board.
func (r *Record) Search(ctx context.Context, q record.SearchQuery) (record.SearchPage, error) {
	s, err := r.search(ctx, q, false)
	page := record.SearchPage{Next: s.next, Looked: s.looked, Since: s.since}
	if err == nil {
		page.Jobs, err = readFound(ctx, r, s.found, record.NewBoardJob)
	}
	if err != nil {
		return record.SearchPage{}, fmt.Errorf("postgres: search jobs: %w", err)
	}
	return page, nil
}

// Count implements record.Board.
func (r *Record) Count(ctx context.Context, q record.SearchQuery) (t record.StatusTally, err error) {
	q.Cursor = ""
	args, ok := searchArgs(q, q.Look(), false)
	if !ok {
		return t, nil
	}
	err = r.send(ctx, call{statement: "count", args: args, read: func(rows pgx.Rows) error {
		var status job.Status
		var jobs, last int
		var since *time.Time
		var more bool
		_, err := pgx.ForEachRow(rows, []any{&status, &jobs, &last, &since, &more}, func() error {
			if t.Add(status, jobs); last > 0 {
				t.Looked, t.Since, t.More = last, timeOrZero(since), more
			}
			return nil
		})
		return err
	}})
	if err != nil {
		return record.StatusTally{}, fmt.Errorf("postgres: count jobs: %w", err)
	}
	return t, nil
}

// Pictures implements record.Board.
func (r *Record) Pictures(ctx context.Context, q record.PictureQuery) (record.PicturePage, error) {
	s, err := r.search(ctx, q.Search(), true)
	page := record.PicturePage{Next: s.next, Looked: s.looked, Since: s.since}
	if err == nil {
		page.Jobs, err = readFound(ctx, r, s.found, record.NewPictureJob)
	}
	if err != nil {
		return record.PicturePage{}, fmt.Errorf("postgres: search pictures: %w", err)
	}
	return page, nil
}
