package dashboard

import (
	"context"
	"net/http"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

const (
	// jobsLimit is how many jobs a page of the list has.
	jobsLimit = 50
	// maxListed bounds what a list shows of a prompt, in characters.
	maxListed = 120
	// maxLiveLook is how many jobs a list may have looked at if it is to be read again
	// every few seconds, which takes some milliseconds each time.
	maxLiveLook = 5_000
)

// A jobsView is a page of the list of jobs.
type jobsView struct {
	Search search
	States []stateLink
	All    string // path without a state; empty if none is asked for
	Rows   []jobRow

	Later       bool    // this is not the first page
	First, Next string  // paths of other pages; Next is empty if there is none
	Looked      int     // how many jobs were looked at
	Since       *moment // how far back, if the page is short and there is more
	Waiting     *record.Backlog

	CancelAll, RetryAll string // paths of the dry runs; empty if there can be none
}

// A stateLink leads to the jobs of one state.
type stateLink struct {
	State state
	Path  string
	Here  bool
	Jobs  int
	More  bool // there may be more
}

// A jobRow is a job in the list.
type jobRow struct {
	Path, ID   string // ID is short
	State      state
	Tenant     string
	TenantPath string
	Prompt     string
	Drawn, Of  int
	Model      string
	Age, Took  string
	Created    moment
	Cost       string
	Code       job.Code
	CodePath   string
}

// jobsPage shows the jobs that the search box asks for, the newest first.
func (d *Dashboard) jobsPage(v *visit) error {
	asked := v.r.URL.Query()
	now := time.Now()
	s := parseSearch(asked.Get("q"), now)
	s.Query.Limit, s.Query.Cursor = jobsLimit, cutText(asked.Get("from"))
	found, err := d.lists.get(v.r.Context(), s.Text+"\n"+s.Query.Cursor, func(ctx context.Context) (record.SearchPage, error) {
		return d.options.Record.Search(ctx, s.Query)
	})
	if err != nil {
		return errAway(err)
	}
	view := jobsView{Search: s, Later: s.Query.Cursor != "", First: jobsPath(s.Text, ""), Looked: found.Looked}
	for _, j := range found.Jobs {
		view.Rows = append(view.Rows, viewRow(j, s, now))
	}
	if found.Next != "" {
		view.Next = jobsPath(s.Text, found.Next)
		if len(found.Jobs) < jobsLimit {
			view.Since = at(found.Since, now)
		}
	}
	if s.Text != "" && len(s.Faults) == 0 && len(view.Rows) > 0 && v.who.Role.may(Operator) {
		if _, able := record.BulkCancel.Narrow(s.Query); able {
			view.CancelAll = bulkLink(record.BulkCancel, s.Text)
		}
		if _, able := record.BulkRetry.Narrow(s.Query); able {
			view.RetryAll = bulkLink(record.BulkRetry, s.Text)
		}
	}
	if err := d.countStates(v, &view); err != nil {
		return err
	}
	live := keptLive(s.Query, found.Looked)
	d.write(v, http.StatusOK, page{name: "jobs", Title: "Jobs", Live: live, Read: !live, Main: view})
	return nil
}

// keptLive reports whether a list is kept up to date: one that an index leads to. A
// search by text, code, lane, model or cost may look through many jobs each time that
// it is asked, and one by status does so if few jobs are like that.
func keptLive(q record.SearchQuery, looked int) bool {
	looksThrough := q.Text != "" || q.Code != "" || q.Lane != "" || q.Model != "" || q.MinCostMicros > 0
	return !looksThrough && looked <= maxLiveLook
}

// countStates counts the jobs of each state that the rest of the search asks for.
// What waits is known exactly, if nothing is asked for.
func (d *Dashboard) countStates(v *visit, view *jobsView) error {
	s := view.Search
	rest := s.with("status", "")
	tally, err := d.tallies.get(v.r.Context(), rest, func(ctx context.Context) (record.StatusTally, error) {
		q := s.Query
		q.Statuses, q.Cursor, q.Limit = nil, "", 0
		return d.options.Record.Count(ctx, q)
	})
	if err != nil {
		return errAway(err)
	}
	for _, status := range statuses() {
		here := len(s.Query.Statuses) == 1 && s.Query.Statuses[0] == status
		view.States = append(view.States, stateLink{
			State: jobState(status), Path: jobsPath(s.with("status", string(status)), ""), Here: here, Jobs: tally.ByStatus[status], More: tally.More,
		})
	}
	if len(s.Query.Statuses) > 0 {
		view.All = jobsPath(rest, "")
	}
	if s.Text != "" {
		return nil
	}
	o, err := d.overview(v.r.Context())
	view.Waiting = &o.Backlog
	return err
}

// viewRow returns a line of the list.
func viewRow(j record.BoardJob, s search, now time.Time) jobRow {
	row := jobRow{
		Path: jobPath(j.ID), ID: shortID(j.ID), State: jobState(j.Status), Tenant: j.Tenant,
		TenantPath: jobsPath(s.with("tenant", j.Tenant), ""), Prompt: shortened(j.Prompt, maxListed),
		Drawn: j.Progress.Succeeded, Of: j.Progress.Total, Model: j.Model, Created: moment{At: j.CreatedAt, now: now},
		Age: ago(now.Sub(j.CreatedAt)), Cost: listed(j.CostMicros),
	}
	if !j.StartedAt.IsZero() {
		row.Took = took(endOr(j.CompletedAt, now).Sub(j.StartedAt))
	}
	if j.Error != nil {
		row.Code, row.CodePath = j.Error.Code, jobsPath(s.with("code", string(j.Error.Code)), "")
	}
	return row
}

// endOr returns the end of something, or now if it goes on.
func endOr(end, now time.Time) time.Time {
	if end.IsZero() {
		return now
	}
	return end
}

// jobsPath returns the address of a page of a search.
func jobsPath(text, from string) string {
	return pathWith(Path+"/jobs", map[string]string{"q": text, "from": from})
}

func jobPath(id string) string { return Path + "/jobs/" + id }

// shortID returns what tells an id from others: when it was made, and its end.
func shortID(id string) string {
	const begin, end = 8, 4
	if len(id) <= begin+end {
		return id
	}
	return id[:begin] + "…" + id[len(id)-end:]
}

// jobState returns the state of a job or of an image.
func jobState(s job.Status) state {
	return map[job.Status]state{
		job.StatusQueued: {"queued", "◷", "off"}, job.StatusProcessing: {"processing", "▶", "busy"},
		job.StatusSucceeded: {"succeeded", "●", "good"}, job.StatusPartial: {"partial", "◐", "warn"},
		job.StatusFailed: {"failed", "✕", "bad"}, job.StatusCanceled: {"canceled", "○", "off"},
	}[s]
}
