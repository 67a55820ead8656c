package recordtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var listTests = []contractTest{
	{"shows the newest job first, page by page", listPages},
	{"ends a page early whose jobs are large", listLarge},
	{"shows jobs as they are now", listPresent},
	{"shows no other tenant's jobs", listTenants},
	{"finds by status", listStatuses},
	{"finds by the time of creation", listTimes},
	{"finds by a part of the prompt, in any case", listText},
	{"finds by metadata", listMetadata},
	{"finds by all of these together", listTogether},
	{"looks at so many jobs for one page", listLooks},
	{"forgets a job that was removed", listRemoved},
}

// list returns the ids on all pages of a query.
func (f *fixture) list(q record.Query) []string {
	f.Helper()
	if q.Tenant == "" {
		q.Tenant = tenant
	}
	if q.Limit == 0 {
		q.Limit = 2
	}
	var ids []string
	for {
		page, err := f.record.List(f.ctx, q)
		f.wantErr(err, nil)
		if len(page.Jobs) > q.Limit {
			f.Fatalf("a page has %d jobs, want %d at most", len(page.Jobs), q.Limit)
		}
		for _, j := range page.Jobs {
			f.wantEqual("a listed job", j, f.get(j.ID))
			ids = append(ids, j.ID)
		}
		if page.Next.IsZero() {
			return ids
		}
		q.After = page.Next
	}
}

// recordAll records jobs one after the other, and returns their ids, the newest
// first.
func (f *fixture) recordAll(drafts ...record.Draft) (newest []string) {
	f.Helper()
	for _, d := range drafts {
		f.submit(d)
		newest = append([]string{d.ID}, newest...)
	}
	return newest
}

func prompted(prompt string) record.Draft {
	s := submission(1)
	s.Input.Prompt = prompt
	return s
}

func described(metadata string) record.Draft {
	s := submission(1)
	s.Metadata = json.RawMessage(metadata)
	return s
}

func listPages(f *fixture) {
	f.wantEqual("what is listed of nothing", f.list(record.Query{}), []string(nil))
	ids := f.recordAll(submission(1), submission(3), lowly(1), submission(1), submission(2))
	for limit := 1; limit <= len(ids)+1; limit++ {
		f.wantEqual(fmt.Sprintf("all pages of %d", limit), f.list(record.Query{Limit: limit}), ids)
	}
	page, err := f.record.List(f.ctx, record.Query{Tenant: tenant, Limit: len(ids)})
	f.wantErr(err, nil)
	if !page.Next.IsZero() {
		f.Errorf("there is a page after the last job: %+v", page.Next)
	}
}

func listLarge(f *fixture) {
	large := prompted(strings.Repeat("x", record.MaxSent/2))
	f.recordAll(submission(1), large, prompted(large.Input.Prompt), prompted(large.Input.Prompt), submission(1))
	var pages []int
	q := record.Query{Tenant: tenant, Limit: 10}
	for {
		page, err := f.record.List(f.ctx, q)
		f.wantErr(err, nil)
		pages = append(pages, len(page.Jobs))
		if page.Next.IsZero() {
			break
		}
		q.After = page.Next
	}
	f.wantEqual("jobs on pages of large ones", pages, []int{3, 2})
}

func listPresent(f *fixture) {
	tasks := f.create(2)
	f.succeed(f.claim(tasks[0], never))
	f.claim(tasks[1], never)
	f.wantEqual("what is listed", f.list(record.Query{}), []string{tasks[0].JobID}) // list compares it with Get
}

func listTenants(f *fixture) {
	mine, theirs := described(`{"a":"b"}`), described(`{"a":"b"}`)
	theirs.Tenant = rival
	f.recordAll(mine, theirs)
	f.wantEqual("what is listed", f.list(record.Query{}), []string{mine.ID})
	f.wantEqual("what is listed by metadata", f.list(record.Query{Tenant: rival, Metadata: []record.Pair{{Key: "a", Value: "b"}}}), []string{theirs.ID})
}

func listStatuses(f *fixture) {
	made := make(map[job.Status]string)
	succeeded, failed := f.create(1), f.create(1)
	made[job.StatusSucceeded] = f.succeed(f.claim(succeeded[0], never)).ID
	made[job.StatusFailed] = f.fail(f.claim(failed[0], never)).ID
	partial := f.create(2)
	f.succeed(f.claim(partial[0], never))
	made[job.StatusPartial] = f.fail(f.claim(partial[1], never)).ID
	made[job.StatusCanceled] = f.cancel(f.create(1)[0].JobID).ID
	made[job.StatusProcessing] = f.claim(f.create(1)[0], never).Job.ID
	made[job.StatusQueued] = f.create(1)[0].JobID
	for status, id := range made {
		f.wantEqual(fmt.Sprintf("what is %s", status), f.list(record.Query{Statuses: []job.Status{status}}), []string{id})
	}
	f.wantEqual("what is queued or succeeded", f.list(record.Query{Statuses: []job.Status{job.StatusSucceeded, job.StatusQueued}, Limit: 1}),
		[]string{made[job.StatusQueued], made[job.StatusSucceeded]})
	f.wantEqual("how many there are", len(f.list(record.Query{})), len(made))
}

func listTimes(f *fixture) {
	ids := f.recordAll(submission(1), submission(1), submission(1))
	middle := f.get(ids[1]).CreatedAt
	f.wantEqual("from a time on", f.list(record.Query{From: middle}), ids[:2])
	f.wantEqual("before a time", f.list(record.Query{To: middle}), ids[2:])
	f.wantEqual("in a time", f.list(record.Query{From: middle, To: middle.Add(time.Microsecond)}), ids[1:2])
}

func listText(f *fixture) {
	fox, box, nul := prompted("A Red FOX, Ölgemälde 100%"), prompted("a red box_\\"), prompted("a\x00b")
	f.recordAll(fox, box, nul, prompted(strings.Repeat("a", record.MaxSearchText)+"needle"))
	for text, want := range map[string][]string{
		"red fox": {fox.ID}, "RED": {box.ID, fox.ID}, "ölGEM": {fox.ID}, "100%": {fox.ID}, "box_\\": {box.ID},
		"%red%": nil, "r_d": nil, "ab": {nul.ID}, "a\x00b": {nul.ID}, "needle": nil,
	} {
		f.wantEqual(fmt.Sprintf("what is found by %q", text), f.list(record.Query{Text: text}), want)
	}
}

func listMetadata(f *fixture) {
	one := described(`{"user":"u1","n":1.0,"big":12345678901234567890,"ok":true,"list":[1],"none":null}`)
	two := described(`{"user":"u2","n":1,"user":"u1","long":"` + strings.Repeat("x", record.MaxPairValue+1) + `","nul":"\u0000","":"empty"}`)
	f.recordAll(one, two, described(`["user"]`), described(`{"user":{"user":"u1"}}`), described(`"user"`))
	for _, test := range []struct {
		key, value string
		want       []string
	}{
		{"user", "u1", []string{two.ID, one.ID}},
		{"user", "u2", nil}, // the last one of a name counts
		{"user", "U1", nil},
		{"n", "1.0", []string{one.ID}},
		{"n", "1", []string{two.ID}},
		{"big", "12345678901234567890", []string{one.ID}},
		{"ok", "true", []string{one.ID}},
		{"none", "", nil},
		{"list", "[1]", nil},
		{"nul", "", nil},
		{"", "empty", []string{two.ID}},
	} {
		q := record.Query{Metadata: []record.Pair{{Key: test.key, Value: test.value}}, Limit: 1}
		f.wantEqual(fmt.Sprintf("what has %q: %q", test.key, test.value), f.list(q), test.want)
	}
}

func listTogether(f *fixture) {
	wanted := described(`{"user":"u1","album":"a"}`)
	wanted.Input.Prompt = "a red fox"
	other := described(`{"user":"u1","album":"b"}`)
	done := described(`{"album":"a","user":"u1"}`)
	f.recordAll(wanted, other, done)
	f.cancel(done.ID)
	both := []record.Pair{{Key: "user", Value: "u1"}, {Key: "album", Value: "a"}}
	f.wantEqual("what has both pairs", f.list(record.Query{Metadata: both, Limit: 1}), []string{done.ID, wanted.ID})
	f.wantEqual("what has a pair and a status",
		f.list(record.Query{Metadata: both[1:], Statuses: []job.Status{job.StatusCanceled}}), []string{done.ID})
	f.wantEqual("what has all", f.list(record.Query{
		Metadata: both, Statuses: []job.Status{job.StatusQueued}, Text: "fox", From: f.get(wanted.ID).CreatedAt,
	}), []string{wanted.ID})
}

// A query that no index answers looks at so many jobs and no more: it then has a
// short page, and says where it stopped.
func listLooks(f *fixture) {
	first := prompted("needle")
	f.submit(first)
	for range record.MaxLooked {
		f.submit(prompted("hay"))
	}
	q := record.Query{Tenant: tenant, Text: "needle", Limit: 5}
	page, err := f.record.List(f.ctx, q)
	f.wantErr(err, nil)
	if len(page.Jobs) != 0 || page.Next.IsZero() {
		f.Fatalf("the first page has %d jobs and goes on at %+v, want none and a place", len(page.Jobs), page.Next)
	}
	f.wantEqual("what is on all pages", f.list(q), []string{first.ID})
}

func listRemoved(f *fixture) {
	gone := described(`{"a":"b"}`)
	ids := f.recordAll(submission(1), gone)
	f.cancel(gone.ID)
	f.wantErr(f.record.Delete(f.ctx, gone.ID), nil)
	f.wantEqual("what is listed", f.list(record.Query{}), slices.DeleteFunc(ids, func(id string) bool { return id == gone.ID }))
	f.wantEqual("what is listed by metadata", f.list(record.Query{Metadata: []record.Pair{{Key: "a", Value: "b"}}}), []string(nil))
}
