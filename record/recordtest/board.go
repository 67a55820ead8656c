package recordtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var boardTests = []contractTest{
	{"shows the newest job of all tenants first, page by page", searchPages},
	{"shows what a line of a list needs", searchLine},
	{"finds by id or its beginning", searchID},
	{"finds by the time in the id", searchTimes},
	{"finds by tenant, status and text", searchJobs},
	{"finds by what one image is", searchImages},
	{"finds by what pictures cost so far", searchCost},
	{"finds nothing by what is nothing", searchNothing},
	{"counts what it would find", searchCounts},
	{"shows stored pictures by job", picturesByJob},
	{"forgets a job that was removed", searchRemoved},
}

// search returns the ids on all pages of a query.
func (f *fixture) search(q record.SearchQuery) []string {
	f.Helper()
	if q.Limit == 0 {
		q.Limit = 2
	}
	tally, err := f.record.Count(f.ctx, q)
	f.wantErr(err, nil)
	var ids []string
	looked := 0
	for {
		page, err := f.record.Search(f.ctx, q)
		f.wantErr(err, nil)
		if len(page.Jobs) > q.Limit {
			f.Fatalf("a page has %d jobs, want %d at most", len(page.Jobs), q.Limit)
		}
		for _, b := range page.Jobs {
			f.wantEqual("a line", b, record.NewBoardJob(f.get(b.ID)))
			ids = append(ids, b.ID)
		}
		if looked += page.Looked; page.Next == "" {
			f.wantEqual("what was counted", tally.Tally, record.Tally{Jobs: len(ids), Looked: looked, Since: tally.Since})
			return ids
		}
		q.Cursor = page.Next
	}
}

func searchPages(f *fixture) {
	page, err := f.record.Search(f.ctx, record.SearchQuery{Limit: 1})
	f.wantErr(err, nil)
	f.wantEqual("a page of nothing", page, record.SearchPage{})
	first, theirs := submission(1), submission(1)
	theirs.Tenant = rival
	ids := f.recordAll(first, theirs, lowly(2), submission(1))
	for limit := 1; limit <= len(ids)+1; limit++ {
		f.wantEqual(fmt.Sprintf("all pages of %d", limit), f.search(record.SearchQuery{Limit: limit}), ids)
	}
	page, err = f.record.Search(f.ctx, record.SearchQuery{Limit: 3})
	f.wantErr(err, nil)
	f.wantEqual("how far it looked", []any{page.Looked, page.Since, page.Next}, []any{3, f.get(ids[2]).CreatedAt, ids[2]})
	page, err = f.record.Search(f.ctx, record.SearchQuery{Limit: 4})
	f.wantErr(err, nil)
	f.wantEqual("a page that ends with the last job", []any{page.Looked, page.Since, page.Next}, []any{4, f.get(ids[3]).CreatedAt, ""})
}

func searchLine(f *fixture) {
	d := lowly(7)
	d.Input.Prompt = strings.Repeat("ä", record.MaxBoardPrompt)
	tasks := f.submit(d)
	for _, t := range tasks[:5] {
		f.succeed(asked(f.claim(t, never)))
	}
	f.fail(f.claim(tasks[5], never))
	c, err := f.record.Fail(f.ctx, f.claim(tasks[6], never), timedOut)
	f.wantErr(err, nil)
	page, err := f.record.Search(f.ctx, record.SearchQuery{Limit: 1})
	f.wantErr(err, nil)
	f.wantEqual("the line", page.Jobs, []record.BoardJob{{
		ID: d.ID, Tenant: tenant, Status: job.StatusPartial, Progress: job.Progress{Total: 7, Succeeded: 5, Failed: 2},
		Prompt: d.Input.Prompt[:record.MaxBoardPrompt], Model: model,
		CreatedAt: c.CreatedAt, StartedAt: c.StartedAt, CompletedAt: c.CompletedAt, CostMicros: 5 * 38_700, Error: &blocked,
	}})
}

func searchID(f *fixture) {
	one, two := submission(1), submission(1)
	one.ID, two.ID = "01931234-5678-7000-8000-00000000abcd", "01931234-5679-7000-8000-00000000abcd"
	f.recordAll(one, two, submission(1))
	for id, want := range map[string][]string{
		one.ID: {one.ID}, strings.ToUpper(two.ID): {two.ID}, "01931234": {two.ID, one.ID}, "01931234-5678-7": {one.ID}, "019312345679": {two.ID},
		"01931235": nil, "0193123": nil, "01931234-5678-7000-8000-00000000abcde": nil, "lighthouse": nil,
	} {
		f.wantEqual("what has the id "+id, f.search(record.SearchQuery{ID: id}), want)
	}
}

func searchTimes(f *fixture) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var ids []string // the newest first
	for n := range 3 {
		d := submission(1)
		d.ID = fmt.Sprintf("%08x-%04x-7000-8000-00000000abcd", at.UnixMilli()>>16, at.UnixMilli()&0xffff-int64(n))
		f.submit(d)
		ids = append(ids, d.ID)
	}
	f.wantEqual("after a time", f.search(record.SearchQuery{After: at.Add(-time.Millisecond)}), ids[:2])
	f.wantEqual("before a time", f.search(record.SearchQuery{Before: at}), ids[1:])
	f.wantEqual("in a time, of a tenant", f.search(record.SearchQuery{
		After: at.Add(-time.Millisecond), Before: at, Tenant: tenant,
	}), ids[1:2])
}

func searchJobs(f *fixture) {
	fox, theirs, box := prompted("A Red FOX, 100%"), prompted("a red fox"), prompted("a red box")
	theirs.Tenant = rival
	f.recordAll(fox, theirs, box)
	f.cancel(box.ID)
	for name, tt := range map[string]struct {
		q    record.SearchQuery
		want []string
	}{
		"tenant":   {record.SearchQuery{Tenant: rival}, []string{theirs.ID}},
		"status":   {record.SearchQuery{Statuses: []job.Status{job.StatusCanceled}}, []string{box.ID}},
		"statuses": {record.SearchQuery{Statuses: []job.Status{job.StatusCanceled, job.StatusQueued}}, []string{box.ID, theirs.ID, fox.ID}},
		"text":     {record.SearchQuery{Text: "RED f"}, []string{theirs.ID, fox.ID}},
		"signs":    {record.SearchQuery{Text: "100%"}, []string{fox.ID}},
		"no signs": {record.SearchQuery{Text: "r_d"}, nil},
		"all":      {record.SearchQuery{Tenant: tenant, Statuses: []job.Status{job.StatusQueued}, Text: "red"}, []string{fox.ID}},
	} {
		f.wantEqual("what is found by "+name, f.search(tt.q), tt.want)
	}
}

func searchImages(f *fixture) {
	again := f.create(1)[0]
	f.requeue(f.claim(again, never), record.Requeue{Lane: spare, After: never, Reason: &timedOut})
	mixed := submission(2)
	mixed.Lanes = []string{lane, spare}
	f.fail(f.claim(f.submit(mixed)[0], never))
	parked := submission(1)
	parked.Lanes, parked.Input.Model = []string{""}, other
	f.submit(parked)
	for name, tt := range map[string]struct {
		q    record.SearchQuery
		want []string
	}{
		"code":                  {record.SearchQuery{Code: blocked.Code}, []string{mixed.ID}},
		"code while it waits":   {record.SearchQuery{Code: timedOut.Code}, []string{again.JobID}},
		"lane":                  {record.SearchQuery{Lane: lane}, []string{mixed.ID}},
		"lane that it waits on": {record.SearchQuery{Lane: spare}, []string{mixed.ID, again.JobID}},
		"model":                 {record.SearchQuery{Model: other}, []string{parked.ID}},
		"one image":             {record.SearchQuery{Code: blocked.Code, Lane: lane, Model: model}, []string{mixed.ID}},
		"two images":            {record.SearchQuery{Code: blocked.Code, Lane: spare}, nil},
	} {
		f.wantEqual("what is found by "+name, f.search(tt.q), tt.want)
	}
}

func searchCost(f *fixture) {
	tasks := f.create(2)
	f.succeed(asked(f.claim(tasks[0], never)))
	refused := asked(f.claim(tasks[1], never)) // is billed, and brings no picture
	f.fail(refused)
	f.create(1)
	f.wantEqual("what cost so much", f.search(record.SearchQuery{MinCostMicros: 38_700}), []string{refused.Job.ID})
	f.wantEqual("what cost more", f.search(record.SearchQuery{MinCostMicros: 38_701}), []string(nil))
}

func searchNothing(f *fixture) {
	f.create(1)
	for name, q := range map[string]record.SearchQuery{
		"a cursor": {Cursor: "nonsense"}, "a short cursor": {Cursor: "01931234"}, "a tenant": {Tenant: "a\x00"}, "a lane": {Lane: "\xff"}, "a status": {Statuses: []job.Status{"lost"}},
	} {
		q.Limit = 1
		page, err := f.record.Search(f.ctx, q)
		f.wantErr(err, nil)
		f.wantEqual("what is found by "+name+" that is none", len(page.Jobs), 0)
	}
	s, err := f.record.Slots(f.ctx, "a\x00", time.Now())
	f.wantErr(err, nil)
	f.wantEqual("minutes of a lane that is none", len(s.Lanes), 0)
}

func searchCounts(f *fixture) {
	ids := f.recordAll(submission(1), submission(1), submission(1))
	f.cancel(ids[1])
	tally, err := f.record.Count(f.ctx, record.SearchQuery{Statuses: []job.Status{job.StatusQueued}, Cursor: ids[1], Limit: 1})
	f.wantErr(err, nil)
	queued := record.StatusTally{
		Tally:    record.Tally{Jobs: 2, Looked: 3, Since: f.get(ids[2]).CreatedAt},
		ByStatus: map[job.Status]int{job.StatusQueued: 2},
	}
	f.wantEqual("what is queued", tally, queued)
	tally, err = f.record.Count(f.ctx, record.SearchQuery{})
	f.wantErr(err, nil)
	queued.Add(job.StatusCanceled, 1)
	f.wantEqual("all", tally, queued)
	tally, err = f.record.Count(f.ctx, record.SearchQuery{Tenant: rival})
	f.wantErr(err, nil)
	f.wantEqual("what nobody has", tally, record.StatusTally{})
}

func picturesByJob(f *fixture) {
	seed := int32(7)
	seeded := submission(3)
	seeded.Input.Seed = &seed
	seeded.Input.Prompt = strings.Repeat("x", record.MaxBoardPrompt+1)
	tasks := f.submit(seeded)
	f.fail(f.claim(tasks[0], never))
	var want []record.StoredPicture
	for i := 1; i < 3; i++ {
		j := f.succeed(asked(f.claim(tasks[i], never)))
		at := seed + int32(i)
		want = append(want, record.StoredPicture{
			Index: i, Object: stored.Object, CostMicros: 38_700, Seed: &at, CompletedAt: j.Images[i].CompletedAt,
		})
	}
	theirs := submission(1)
	theirs.Tenant = rival
	f.submit(theirs)
	f.succeed(f.claim(job.Task{JobID: theirs.ID, Dispatch: 1, Lane: lane}, never))
	f.create(1)
	page, err := f.record.Pictures(f.ctx, record.PictureQuery{Limit: 1})
	f.wantErr(err, nil)
	f.wantEqual("the first page", []any{len(page.Jobs), page.Jobs[0].ID, page.Next, page.Looked}, []any{1, theirs.ID, theirs.ID, 2})
	page, err = f.record.Pictures(f.ctx, record.PictureQuery{Limit: 2, Cursor: page.Next, Tenant: tenant, Model: model})
	f.wantErr(err, nil)
	created := f.get(seeded.ID).CreatedAt
	f.wantEqual("the second page", page, record.PicturePage{Looked: 1, Since: created, Jobs: []record.PictureJob{{
		ID: seeded.ID, Tenant: tenant, Status: job.StatusPartial, Prompt: strings.Repeat("x", record.MaxBoardPrompt), Model: model,
		CreatedAt: created, Pictures: want,
	}}})
	page, err = f.record.Pictures(f.ctx, record.PictureQuery{Limit: 2, Model: other})
	f.wantErr(err, nil)
	f.wantEqual("pictures of another model", len(page.Jobs), 0)
}

func searchRemoved(f *fixture) {
	ids := f.recordAll(submission(1), submission(1))
	f.cancel(ids[0])
	f.wantErr(f.record.Delete(f.ctx, ids[0]), nil)
	f.wantEqual("what is found", f.search(record.SearchQuery{}), ids[1:])
}
