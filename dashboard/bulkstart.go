package dashboard

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

// dryRunLasts is for how long a dry run may be confirmed: its times are those of when it
// was made.
const dryRunLasts = time.Hour

// A dryRun is what a bulk would meet, and the form that starts it.
type dryRun struct {
	ID, Action, Text, At string // what the form sends
	Path, Back           string
	Verb                 string
	Expected             record.BulkExpected
	Retried              int    // jobs that were retried before
	Unpriced             int    // pictures whose price is not known
	Drawing              int    // of the pictures to be canceled, those being drawn
	Took                 string // how long the lanes draw at; empty if nothing is drawn, or by no lane
	Unserved             int    // pictures that no open lane draws
	Looked               int
	Since                *moment // how far back was counted; nil if that is all
	Reason, Wrong        string
	Retries              bool
}

// bulkLink leads to a dry run.
func bulkLink(action record.BulkAction, text string) string {
	return Path + "/bulks/new?" + url.Values{"action": {string(action)}, "q": {text}}.Encode()
}

// newBulkPage shows a dry run: what a bulk would meet, and cost.
func (d *Dashboard) newBulkPage(v *visit) error {
	asked := v.r.URL.Query()
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	draft, err := readBulkDraft(id.String(), asked.Get("action"), asked.Get("q"), time.Now())
	if err != nil {
		return err
	}
	return d.showDryRun(v, http.StatusOK, draft, time.Now(), "", "")
}

// readBulkDraft returns the bulk of a search, which is read as it was meant at a time.
func readBulkDraft(id, action, text string, now time.Time) (record.BulkDraft, error) {
	d := record.BulkDraft{ID: id, Action: record.BulkAction(action)}
	if d.Action != record.BulkCancel && d.Action != record.BulkRetry {
		return d, errNotFound
	}
	s := parseSearch(text, now)
	switch {
	case len(s.Faults) > 0:
		return d, errSearch("Nothing is done by a search that is not understood as a whole. " + s.Faults[0])
	case s.Text == "":
		return d, errSearch("Nothing is done to all jobs there are. Search for some first.")
	}
	d.Text = s.Text
	var able bool
	if d.Query, able = d.Action.Narrow(s.Query); !able {
		return d, errSearch("No job in these states can be " + map[record.BulkAction]string{record.BulkCancel: "canceled", record.BulkRetry: "retried"}[d.Action] + ".")
	}
	return d, nil
}

func errSearch(text string) error {
	return &problem{status: http.StatusUnprocessableEntity, title: "Search again", text: text}
}

func (d *Dashboard) showDryRun(v *visit, status int, draft record.BulkDraft, meant time.Time, reason, wrong string) error {
	run, err := d.dryRun(v.r.Context(), draft, meant)
	if err != nil {
		return err
	}
	run.Reason, run.Wrong = reason, wrong
	d.write(v, status, page{name: "bulkstart", Title: run.Verb + " what a search finds", Main: run})
	return nil
}

// dryRun measures a bulk.
func (d *Dashboard) dryRun(ctx context.Context, draft record.BulkDraft, meant time.Time) (dryRun, error) {
	run := dryRun{
		ID: draft.ID, Action: string(draft.Action), Text: draft.Text, At: strconv.FormatInt(meant.Unix(), 10),
		Path: Path + "/bulks/new", Back: jobsPath(draft.Text, ""), Verb: "Cancel", Retries: draft.Action == record.BulkRetry,
	}
	m, err := d.options.Record.MeasureBulk(ctx, draft.Query)
	if err != nil {
		return run, errAway(err)
	}
	o, err := d.overview(ctx)
	if err != nil {
		return run, err
	}
	run.Expected = record.BulkExpected{Jobs: m.Jobs, More: m.More}
	if run.Looked = m.Looked; m.More {
		run.Since = at(m.Since, time.Now())
	}
	if run.Retries {
		run.Verb, run.Retried = "Retry", m.Retried
		run.Expected.Jobs -= m.Retried
	}
	perModel := make(map[string]int)
	for _, g := range m.Groups {
		n := g.Queued + g.Processing
		if run.Retries {
			n = g.Lost
		}
		run.Drawing += g.Processing
		run.Expected.Pictures += n
		perModel[g.Model] += n
		price := d.priceOf(g.Model, g.Size)
		run.Expected.Micros += price * int64(n)
		if price == 0 {
			run.Unpriced += n
		}
	}
	if run.Retries {
		run.Took, run.Unserved = drawingTime(perModel, d.lanesNow(o))
	}
	return run, nil
}

// priceOf returns the list price of a picture, 0 if it is not known.
func (d *Dashboard) priceOf(model, size string) int64 {
	m, _ := job.FindModel(d.options.Models, model)
	return m.Price(size)
}

// drawingTime returns how long the lanes take to send so many pictures of each model, at
// their quota and with nothing else to do, and how many pictures no lane draws.
func drawingTime(pictures map[string]int, lanes []lane.Lane) (took string, unserved int) {
	rates := lane.Rates(lanes)
	minutes := make(map[string]float64) // by the model that draws
	for model, n := range pictures {
		if rates[model] == 0 {
			unserved += n
			continue
		}
		minutes[lane.ModelFor(lanes, model)] += float64(n) / float64(rates[model])
	}
	longest := 0.0
	for _, m := range minutes {
		longest = max(longest, m)
	}
	if longest == 0 {
		return "", unserved
	}
	return "about " + span(max(time.Second, time.Duration(longest*float64(time.Minute)))), unserved
}

// startBulk records a bulk, and asks for the sweep that does it. A form starts one,
// however often it is sent.
func (d *Dashboard) startBulk(v *visit) error {
	reason, wrong := readReason(v.r)
	form := v.r.PostForm
	seconds, err := strconv.ParseInt(form.Get("at"), 10, 64)
	meant, now := time.Unix(seconds, 0).UTC(), time.Now()
	if err != nil || uuid.Validate(form.Get("id")) != nil {
		return errForm
	}
	if meant.After(now.Add(time.Minute)) || now.Sub(meant) > dryRunLasts {
		return errConflict("The dry run is more than an hour old. Look at it again before you start.")
	}
	draft, err := readBulkDraft(form.Get("id"), form.Get("action"), form.Get("q"), meant)
	if err != nil {
		return err
	}
	if wrong != "" {
		return d.showDryRun(v, http.StatusUnprocessableEntity, draft, meant, reason, wrong)
	}
	run, err := d.dryRun(v.r.Context(), draft, meant)
	if err != nil {
		return err
	}
	draft.Expected = run.Expected
	d.askForSweep(v.r.Context()) // first: a process that dies in between leaves no bulk without a sweep
	if _, err := d.options.Record.StartBulk(v.r.Context(), draft, v.act(draft.Action.Act(), reason)); err != nil {
		return errAway(err)
	}
	d.forget()
	d.askForBulkSweep(v.r.Context())
	return v.redirect(bulkPath(draft.ID) + "?done=bulk")
}
