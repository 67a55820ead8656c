package recordtest

import (
	"time"

	"pgregory.net/rapid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var bulkTests = []contractTest{
	{"starts once for an id, and is written to the audit", startsBulks},
	{"is aborted while it runs, and ends at the next step", abortsBulks},
	{"keeps what became of each job, once, with samples of why", advancesBulks},
	{"meets the jobs of its query, those that ended meanwhile too, and tells of retries", meetsJobs},
	{"measures pictures by model and size, without jobs that were retried", measuresBulks},
	{"lists the latest first, and those that have not ended the first one first", listsBulks},
	{"is removed long after it ended, and not before", keepsBulks},
	{"is named in the audit of each job", bulkActs},
}

func (f *fixture) startBulk(action record.BulkAction, q record.SearchQuery) record.Bulk {
	f.Helper()
	narrow, ok := action.Narrow(q)
	f.wantEqual("whether there can be jobs", ok, true)
	d := record.BulkDraft{
		ID: newID(), Action: action, Text: `tenant:x "a\b"`, Query: narrow, Expected: record.BulkExpected{Jobs: 3, More: true, Pictures: 4, Micros: 5},
	}
	b, err := f.record.StartBulk(f.ctx, d, f.act(action.Act()))
	f.wantErr(err, nil)
	f.wantEqual("the bulk", b, record.Bulk{BulkDraft: d, Act: f.act(action.Act()), State: record.BulkRunning, At: b.At, MovedAt: b.At})
	return b
}

func startsBulks(f *fixture) {
	q := record.SearchQuery{Tenant: tenant, After: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Text: "ü\""}
	b := f.startBulk(record.BulkCancel, q)
	again, err := f.record.StartBulk(f.ctx, record.BulkDraft{ID: b.ID, Action: record.BulkRetry}, f.act("another"))
	f.wantErr(err, nil)
	f.wantEqual("the bulk of a repeated call", again, b)
	read, err := f.record.Bulk(f.ctx, b.ID)
	f.wantErr(err, nil)
	f.wantEqual("the bulk as it is read", read, b)
	for _, id := range []string{newID(), "", "no-such-id"} {
		_, err := f.record.Bulk(f.ctx, id)
		f.wantErr(err, record.ErrNotFound)
	}
	f.wantActs(record.AuditEntry{Act: f.act(record.ActionBulkCancel), Target: b.ID, Detail: map[string]string{"search": b.Text}})
}

func abortsBulks(f *fixture) {
	b := f.startBulk(record.BulkCancel, record.SearchQuery{})
	a := record.Act{Who: "bob", Role: "admin", Action: record.ActionAbortBulk, Reason: "too many"}
	aborting, err := f.record.AbortBulk(f.ctx, b.ID, a)
	f.wantErr(err, nil)
	b.State, b.AbortedBy, b.AbortReason = record.BulkAborting, "bob", "too many"
	f.wantEqual("the bulk", aborting, b)
	_, err = f.record.AbortBulk(f.ctx, b.ID, a)
	f.wantErr(err, record.ErrBulkEnded)
	_, err = f.record.AbortBulk(f.ctx, newID(), a)
	f.wantErr(err, record.ErrNotFound)
	aborted, err := f.record.AdvanceBulk(f.ctx, b, record.BulkStep{End: true})
	f.wantErr(err, nil)
	f.wantEqual("its state", aborted.State, record.BulkAborted)
	f.wantEqual("whether it ended", aborted.EndedAt.Equal(aborted.MovedAt), true)
	_, err = f.record.AdvanceBulk(f.ctx, aborted, record.BulkStep{Outcome: record.BulkJobDone})
	f.wantErr(err, record.ErrBulkMoved)
	f.wantActs(
		record.AuditEntry{Act: f.act(record.ActionBulkCancel), Target: b.ID, Detail: map[string]string{"search": b.Text}},
		record.AuditEntry{Act: a, Target: b.ID},
	)
}

func advancesBulks(f *fixture) {
	b := f.startBulk(record.BulkRetry, record.SearchQuery{})
	first, second := newID(), newID()
	steps := []record.BulkStep{
		{Again: true},
		{Outcome: record.BulkJobDone, JobID: second, Cursor: second},
		{Outcome: record.BulkJobFailed, JobID: first, Cursor: first, Reason: "no room"},
		{Outcome: record.BulkJobFailed, JobID: second, Reason: "no room"},
		{Outcome: record.BulkJobSkipped, JobID: first, Reason: "retried before"},
	}
	before := b
	for _, s := range steps {
		next, err := f.record.AdvanceBulk(f.ctx, b, s)
		f.wantErr(err, nil)
		_, err = f.record.AdvanceBulk(f.ctx, b, s)
		f.wantErr(err, record.ErrBulkMoved)
		b = next
	}
	before.MovedAt, before.Cursor, before.Steps, before.Done, before.Skipped, before.Failed = b.MovedAt, first, 5, 1, 1, 2
	before.Samples = []record.BulkSample{
		{Outcome: record.BulkJobFailed, Reason: "no room", Jobs: 2, JobID: second}, {Outcome: record.BulkJobSkipped, Reason: "retried before", Jobs: 1, JobID: first},
	}
	f.wantEqual("the bulk", b, before)
	b, err := f.record.AdvanceBulk(f.ctx, b, record.BulkStep{End: true})
	f.wantErr(err, nil)
	f.wantEqual("its state", b.State, record.BulkDone)
}

func meetsJobs(f *fixture) {
	open, faster, before := f.create(1)[0].JobID, f.create(1)[0].JobID, f.create(1)[0].JobID
	f.cancel(before)
	b := f.startBulk(record.BulkCancel, record.SearchQuery{Tenant: tenant})
	f.cancel(faster)
	late := f.create(1)[0].JobID
	got, err := f.record.BulkTargets(f.ctx, b, plenty)
	f.wantErr(err, nil)
	met := map[string]bool{}
	for _, t := range got.Jobs {
		f.wantEqual("the job", t.Job, f.withoutPlace(t.Job.ID))
		met[t.Job.ID] = b.Meets(t.Job)
	}
	f.wantEqual("what it meets", met, map[string]bool{open: true, faster: true, late: false})
	b.Cursor = faster
	got, err = f.record.BulkTargets(f.ctx, b, plenty)
	f.wantErr(err, nil)
	f.wantEqual("how many jobs come after one", len(got.Jobs), 1)

	retries := f.startBulk(record.BulkRetry, record.SearchQuery{Tenant: tenant})
	other := f.retryIn(before, "")
	f.cancel(other)
	f.wantRetry(retries, before, other, false)
	own := f.retryIn(before, retries.ID)
	f.cancel(own)
	f.cancel(f.retryIn(before, ""))
	f.wantRetry(retries, before, own, true)
}

// withoutPlace returns a job without what only Get tells of it.
func (f *fixture) withoutPlace(id string) job.Job {
	f.Helper()
	j := f.get(id)
	j.Ahead, j.Paused = nil, nil
	return j
}

// retryIn retries a job, by a bulk if there is an id of one.
func (f *fixture) retryIn(of, bulk string) string {
	f.Helper()
	d := submission(1)
	d.Input.Prompt, d.Input.Retry = "it's \x00 and more", &job.Retry{Of: of, Images: []int{0}, Bulk: bulk}
	return f.submit(d)[0].JobID
}

func (f *fixture) wantRetry(b record.Bulk, id, retry string, own bool) {
	f.Helper()
	got, err := f.record.BulkTargets(f.ctx, b, plenty)
	f.wantErr(err, nil)
	for _, t := range got.Jobs {
		if t.Job.ID == id {
			f.wantEqual("the retry", t.Retry, retry)
			f.wantEqual("whether it is the bulk's", t.Own, own)
			return
		}
	}
	f.Errorf("the bulk does not meet job %s", id)
}

func measuresBulks(f *fixture) {
	f.create(2)
	tasks := f.create(3)
	f.fail(f.claim(tasks[0], never))
	f.cancel(tasks[0].JobID)
	retried := f.create(1)[0].JobID
	f.cancel(retried)
	again := f.retryIn(retried, "")
	f.cancel(again)
	narrow, _ := record.BulkRetry.Narrow(record.SearchQuery{Tenant: tenant})
	m, err := f.record.MeasureBulk(f.ctx, narrow)
	f.wantErr(err, nil)
	m.Since = time.Time{}
	input := f.get(again).Input
	f.wantEqual("what a retry meets", m, record.BulkMeasure{
		Tally: record.Tally{Jobs: 3, Looked: 4}, Retried: 1,
		Groups: []record.BulkGroup{{Model: input.Model, Size: input.ImageSize, Lost: 4}},
	})
	none, err := f.record.MeasureBulk(f.ctx, record.SearchQuery{ID: "no id"})
	f.wantErr(err, nil)
	f.wantEqual("what nothing meets", none, record.BulkMeasure{})
	f.submit(budgeted(2, within(1, 0, 0)))
	held, err := f.record.MeasureBulk(f.ctx, record.SearchQuery{Lane: "(held)"})
	f.wantErr(err, nil)
	f.wantEqual("what is met on the lane of held pictures, which is none", held.Jobs, 0)
}

func listsBulks(f *fixture) {
	open, err := f.record.OpenBulks(f.ctx, plenty)
	f.wantErr(err, nil)
	f.wantEqual("how many there are", len(open), 0)
	a, b, c := f.startBulk(record.BulkCancel, record.SearchQuery{}), f.startBulk(record.BulkCancel, record.SearchQuery{}), f.startBulk(record.BulkRetry, record.SearchQuery{})
	b, err = f.record.AdvanceBulk(f.ctx, b, record.BulkStep{End: true})
	f.wantErr(err, nil)
	for _, tt := range []struct {
		before string
		limit  int
		want   []record.Bulk
	}{{"", 2, []record.Bulk{c, b}}, {b.ID, plenty, []record.Bulk{a}}} {
		got, err := f.record.Bulks(f.ctx, tt.before, tt.limit)
		f.wantErr(err, nil)
		f.wantEqual("the bulks", got, tt.want)
	}
	open, err = f.record.OpenBulks(f.ctx, plenty)
	f.wantErr(err, nil)
	f.wantEqual("those that have not ended", open, []record.Bulk{a, c})
}

func keepsBulks(f *fixture) {
	open := f.startBulk(record.BulkCancel, record.SearchQuery{})
	ended, err := f.record.AdvanceBulk(f.ctx, f.startBulk(record.BulkRetry, record.SearchQuery{}), record.BulkStep{End: true})
	f.wantErr(err, nil)
	n, err := f.record.RetireBulks(f.ctx, plenty)
	f.wantErr(err, nil)
	f.wantEqual("how many were removed", n, 0)
	all, err := f.record.Bulks(f.ctx, "", plenty)
	f.wantErr(err, nil)
	f.wantEqual("the bulks", all, []record.Bulk{ended, open})
}

func bulkActs(f *fixture) {
	id := f.create(1)[0].JobID
	a := f.act(record.ActionCancelJob)
	inBulk := a
	inBulk.Bulk = newID()
	_, err := f.record.CancelByHand(f.ctx, id, inBulk)
	f.wantErr(err, nil)
	d := submission(1)
	d.ByHand = &record.ByHand{Act: inBulk, Of: id}
	f.submit(d)
	f.wantActs(
		record.AuditEntry{Act: a, Target: id, Detail: map[string]string{"pictures": "1", "bulk": inBulk.Bulk}},
		record.AuditEntry{Act: a, Target: id, Detail: map[string]string{"as": d.ID, "pictures": "1", "bulk": inBulk.Bulk}},
	)
}

// retireBulks removes bulks, now and then after their time.
func (h *history) retireBulks(*rapid.T) {
	if rapid.IntRange(0, 9).Draw(h.T, "later") == 0 {
		h.pass(record.AuditKept)
	}
	limit := h.limit()
	want, wantErr := h.spec.RetireBulks(h.ctx, limit)
	got, gotErr := h.real.RetireBulks(h.ctx, limit)
	same(h, want, wantErr, got, gotErr)
	left, wantErr := h.spec.Bulks(h.ctx, "", plenty)
	gotLeft, gotErr := h.real.Bulks(h.ctx, "", plenty)
	same(h, left, wantErr, gotLeft, gotErr)
}

// bulk starts one, aborts one, or lets one come to its next job, as a sweep does.
func (h *history) bulk(*rapid.T) {
	switch draw(h, "step", "go on", "start", "go on", "abort", "measure") {
	case "start":
		h.startBulk()
	case "abort":
		a := h.drawAct()
		want, wantErr := h.spec.AbortBulk(h.ctx, h.anyBulk(), a)
		got, gotErr := h.real.AbortBulk(h.ctx, h.anyBulk(), a)
		same(h, want, wantErr, got, gotErr)
	case "measure":
		q, _ := h.drawBulk().Narrow(record.SearchQuery{Tenant: draw(h, "tenant", "", tenant)})
		want, wantErr := h.spec.MeasureBulk(h.ctx, q)
		got, gotErr := h.real.MeasureBulk(h.ctx, q)
		same(h, want, wantErr, got, gotErr)
	default:
		h.advanceBulk()
	}
	want, wantErr := h.spec.OpenBulks(h.ctx, plenty)
	got, gotErr := h.real.OpenBulks(h.ctx, plenty)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) drawBulk() record.BulkAction {
	return draw(h, "action", record.BulkCancel, record.BulkRetry)
}

func (h *history) anyBulk() string {
	all, err := h.spec.Bulks(h.ctx, "", plenty)
	if err != nil || len(all) == 0 {
		h.Skip("there is none yet")
	}
	return all[0].ID
}

func (h *history) startBulk() {
	action := h.drawBulk()
	q, _ := action.Narrow(record.SearchQuery{Tenant: draw(h, "tenant", "", tenant), Code: draw(h, "code", "", "", blocked.Code)})
	d := record.BulkDraft{ID: h.draft().ID, Action: action, Text: "all", Query: q}
	a := h.drawAct()
	a.Action = action.Act()
	want, wantErr := h.spec.StartBulk(h.ctx, d, a)
	got, gotErr := h.real.StartBulk(h.ctx, d, a)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) advanceBulk() {
	id := h.anyBulk()
	b, err := h.spec.Bulk(h.ctx, id)
	read, gotErr := h.real.Bulk(h.ctx, id)
	same(h, b, err, read, gotErr)
	want, wantErr := h.spec.BulkTargets(h.ctx, b, 2)
	got, gotErr := h.real.BulkTargets(h.ctx, b, 2)
	same(h, want, wantErr, got, gotErr)
	s := record.BulkStep{Cursor: want.Next, End: want.Next == ""}
	if len(want.Jobs) > 0 {
		j := want.Jobs[0].Job
		s = record.BulkStep{
			JobID: j.ID, Cursor: j.ID, Outcome: draw(h, "outcome", record.BulkJobDone, record.BulkJobSkipped), Reason: draw(h, "why", "", "because"),
		}
	}
	if draw(h, "again", false, false, true) {
		s = record.BulkStep{Again: true}
	}
	next, wantErr := h.spec.AdvanceBulk(h.ctx, b, s)
	gotNext, gotErr := h.real.AdvanceBulk(h.ctx, b, s)
	same(h, next, wantErr, gotNext, gotErr)
}
