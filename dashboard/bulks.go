package dashboard

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ai-worker/ai-worker/record"
)

// bulksLimit is how many bulks a page of the list has.
const bulksLimit = 50

// A bulksView is a page of the list of bulks.
type bulksView struct {
	Rows        []bulkView
	Later       bool   // this is not the first page
	First, Next string // paths of other pages; Next is empty if there is none
}

// A bulkView is a bulk as pages show it.
type bulkView struct {
	Bulk    record.Bulk
	Path    string
	State   state
	Open    bool   // it has not ended
	Abort   string // path of the form; empty if it cannot be aborted, or not by whoever looks
	Jobs    string // path of the search, as it is now
	Started *moment
	Moved   *moment
	Ended   *moment // nil until it has ended
	Of      int     // jobs, at least as many as it has met
	More    bool    // there may be more than Of
	Beyond  bool    // it has met all that were counted, and there may be more
	Samples []sampleView
}

// A sampleView is jobs that were skipped or failed for one reason.
type sampleView struct {
	record.BulkSample

	Path string // of the latest of them
}

func bulkPath(id string) string { return Path + "/bulks/" + id }

// bulksPage shows bulks, the latest first.
func (d *Dashboard) bulksPage(v *visit) error {
	before := cutText(v.r.URL.Query().Get("before"))
	all, err := d.bulkLists.get(v.r.Context(), before, func(ctx context.Context) ([]record.Bulk, error) {
		return d.options.Record.Bulks(ctx, before, bulksLimit+1)
	})
	if err != nil {
		return errAway(err)
	}
	view := bulksView{Later: before != "", First: Path + "/bulks"}
	if len(all) > bulksLimit {
		all = all[:bulksLimit]
		view.Next = Path + "/bulks?before=" + all[bulksLimit-1].ID
	}
	for _, b := range all {
		view.Rows = append(view.Rows, viewBulk(v, b, time.Now()))
	}
	d.write(v, http.StatusOK, page{name: "bulks", Title: "Bulks", Live: true, Main: view})
	return nil
}

// bulkPage shows a bulk, and how far it is.
func (d *Dashboard) bulkPage(v *visit) error {
	b, err := d.readBulk(v)
	if err != nil {
		return err
	}
	view := viewBulk(v, b, time.Now())
	d.write(v, http.StatusOK, page{name: "bulk", Title: "Bulk " + string(b.Action) + " " + shortID(b.ID), Live: true, Main: view})
	return nil
}

// readBulk returns the bulk that a path names.
func (d *Dashboard) readBulk(v *visit) (record.Bulk, error) {
	id := v.r.PathValue("id")
	b, err := d.bulks.get(v.r.Context(), id, func(ctx context.Context) (record.Bulk, error) { return d.options.Record.Bulk(ctx, id) })
	switch {
	case errors.Is(err, record.ErrNotFound):
		return b, errNotFound
	case err != nil:
		return b, errAway(err)
	}
	return b, nil
}

func viewBulk(v *visit, b record.Bulk, now time.Time) bulkView {
	view := bulkView{
		Bulk: b, Path: bulkPath(b.ID), State: bulkState(b.State), Open: b.EndedAt.IsZero(), Jobs: jobsPath(b.Text, ""),
		Started: at(b.At, now), Moved: at(b.MovedAt, now), Of: max(b.Expected.Jobs, b.Met()),
	}
	view.More = view.Open && b.Expected.More
	view.Beyond = view.More && b.Met() >= b.Expected.Jobs
	if !view.Open {
		view.Ended, view.Of = at(b.EndedAt, now), max(1, view.Of)
	}
	if b.State == record.BulkRunning && v.who.Role.may(Operator) {
		view.Abort = view.Path + "/abort"
	}
	for _, s := range b.Samples {
		view.Samples = append(view.Samples, sampleView{s, jobPath(s.JobID)})
	}
	return view
}

// bulkState returns the state of a bulk.
func bulkState(s record.BulkState) state {
	return map[record.BulkState]state{
		record.BulkRunning: {"running", "▶", "busy"}, record.BulkAborting: {"aborting", "◷", "warn"},
		record.BulkDone: {"done", "●", "good"}, record.BulkAborted: {"aborted", "○", "off"},
	}[s]
}

func abortBulk() actOn[record.Bulk] {
	return actOn[record.Bulk]{
		action: record.ActionAbortBulk, verb: "Abort", code: "aborted", find: (*Dashboard).readBulk,
		named: func(b record.Bulk) (title, button, back string) {
			return "bulk " + shortID(b.ID), "bulk", bulkPath(b.ID)
		},
		check: func(_ *visit, b record.Bulk) error {
			if b.State != record.BulkRunning {
				return record.ErrBulkEnded
			}
			return nil
		},
		means: func(_ *Dashboard, _ *visit, b record.Bulk) (string, error) {
			return "From the next job on, nothing more is done. What was done to " + countOf(b.Done, "job") + " stays.", nil
		},
		do: func(d *Dashboard, v *visit, b record.Bulk, a record.Act) (string, error) {
			_, err := d.options.Record.AbortBulk(v.r.Context(), b.ID, a)
			if err == nil {
				d.askForBulkSweep(v.r.Context()) // which ends it
			}
			return bulkPath(b.ID), err
		},
	}
}
