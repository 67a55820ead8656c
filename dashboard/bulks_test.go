package dashboard_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// form returns what the form of a page sends, with a reason.
func formOf(page string) url.Values {
	values := url.Values{"reason": {"the key was wrong"}}
	for _, m := range regexp.MustCompile(`type="hidden" name="(\w+)" value="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		values.Set(m[1], m[2])
	}
	return values
}

// An operator sees what a bulk would meet and cost, says why, and starts it, once for a
// form. The page shows how far it is, and aborts it.
func TestOperatorsStartAndAbortBulks(t *testing.T) {
	s := setup(t)
	c := s.logIn("otto")
	for range 3 {
		j := s.create("web", "a", "m", 4)
		if _, err := s.kept.Cancel(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
	}
	s.create("web", "a", "m", 1)
	list := s.get(path+"/jobs?q=tenant:web+after:2h", c)
	want(t, list, "Cancel all of these…", "Retry all of these…")
	want(t, s.get(path+"/jobs?q=tenant:web+status:failed", s.logIn("otto")), "-all of these…")
	want(t, s.get(path+"/jobs?q=tenant:web", s.logIn("vera")), "-all of these…")

	dry := path + "/bulks/new?action=retry&q=tenant:web+after:2h"
	page := s.get(dry, c)
	want(t, page, "12 pictures in 3 jobs, $0.4032 by list price, about 8 s", "Retry 3 jobs")
	form := formOf(page)
	before := s.sweeps.n.Load()
	short := url.Values{"id": form["id"], "action": form["action"], "q": form["q"], "at": form["at"], "reason": {"x"}}
	if resp := s.do(request{method: "POST", path: path + "/bulks/new", cookie: c, form: short}); resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("without a reason it is answered %s", resp.Status)
	}
	var to string
	for range 2 {
		resp := s.do(request{method: "POST", path: path + "/bulks/new", cookie: c, form: form})
		if to = resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther {
			t.Fatalf("answered %s: %s", resp.Status, text(t, resp))
		}
	}
	if s.sweeps.n.Load() == before {
		t.Error("no sweep is asked for")
	}
	all, err := s.kept.Bulks(t.Context(), "", 10)
	if err != nil || len(all) != 1 || all[0].Expected != (record.BulkExpected{Jobs: 3, Pictures: 12, Micros: 403_200}) ||
		time.Since(all[0].Query.After).Round(time.Minute) != 2*time.Hour || all[0].Act.Who != "otto" {
		t.Fatalf("bulks are %+v, %v", all, err)
	}
	b := all[0]
	want(t, s.get(to, c), "The bulk is started", `max="3"`, "<b>0</b> of 3 jobs", "Abort…")
	if b, err = s.kept.AdvanceBulk(t.Context(), b, record.BulkStep{Outcome: record.BulkJobFailed, JobID: newID(), Reason: "<b>no room</b>"}); err != nil {
		t.Fatal(err)
	}
	s.start() // another instance, which has kept nothing
	want(t, s.get(path+"/bulks/"+b.ID, c), "<b>1</b> of 3 jobs", "&lt;b&gt;no room", "/jobs/"+b.Samples[0].JobID)
	want(t, s.get(path+"/bulks", c), "1/3", "running", "tenant:web after:2h")
	want(t, s.get(path+"/bulks/"+b.ID, s.logIn("vera")), "-Abort…")

	abort := path + "/bulks/" + b.ID + "/abort"
	want(t, s.get(abort, c), "From the next job on, nothing more is done")
	for _, status := range []int{http.StatusSeeOther, http.StatusConflict} {
		if resp := s.do(request{method: "POST", path: abort, cookie: c, form: why}); resp.StatusCode != status {
			t.Errorf("an abort is answered %s, want %d", resp.Status, status)
		}
	}
	want(t, s.get(path+"/bulks/"+b.ID, c), "aborting", "Aborted by otto", "-Abort…")

	if _, err := s.kept.AdvanceBulk(t.Context(), b, record.BulkStep{End: true}); err != nil {
		t.Fatal(err)
	}
	s.start()
	resp := s.do(request{method: "GET", path: path + "/bulks/" + b.ID, cookie: c, header: map[string]string{"Accept": "text/x-fragment"}})
	want(t, text(t, resp), "aborted", "Ended", "-<html") // a page that is looked at gets the end as a part of it
}

// A dry run says what is wrong with a search, and what cannot be told. Nothing is started
// by a search that is not understood as a whole, or for all jobs.
func TestDryRunsAreHonest(t *testing.T) {
	s := setup(t)
	c := s.logIn("otto")
	s.create("web", "a", "other", 2) // no price, no lane
	for q, status := range map[string]int{
		"action=retry&q=": 422, "action=retry&q=oops:1+fox": 422, "action=cancel&q=status:failed": 422, "action=delete&q=fox": 404,
	} {
		if resp := s.do(request{method: "GET", path: path + "/bulks/new?" + q, cookie: c}); resp.StatusCode != status {
			t.Errorf("%s is answered %s", q, resp.Status)
		}
	}
	page := s.get(path+"/bulks/new?action=cancel&q=tenant:web", c)
	want(t, page, "2 pictures in 1 job, $0 by list price at most that is not spent", "The price of 2 pictures is not known")
	form := formOf(page)
	form.Set("at", "1000000000")
	if resp := s.do(request{method: "POST", path: path + "/bulks/new", cookie: c, form: form}); resp.StatusCode != http.StatusConflict {
		t.Errorf("an old dry run is answered %s", resp.Status)
	}
	s.options.Record = &bounded{Record: s.kept}
	s.start()
	want(t, s.get(path+"/bulks/new?action=retry&q=tenant:web", c), "20,000 pictures, or more, in 9,995+ jobs", "5 jobs more were retried before", "100,000 jobs were looked at")
	s.nothingDone()
}

// bounded is a record with more jobs than are counted.
type bounded struct{ dashboard.Record }

func (*bounded) MeasureBulk(context.Context, record.SearchQuery) (record.BulkMeasure, error) {
	return record.BulkMeasure{
		Tally: record.Tally{Jobs: 10_000, More: true, Looked: 100_000, Since: time.Now()}, Retried: 5,
		Groups: []record.BulkGroup{{Model: "m", Size: "1K", Lost: 20_000}},
	}, nil
}

// far is a record of a bulk that has met more jobs than its dry run counted.
type far struct {
	dashboard.Record

	bulk record.Bulk
}

func (f *far) Bulk(context.Context, string) (record.Bulk, error) { return f.bulk, nil }

// How far a bulk is of more jobs than were counted is not known until it has ended.
func TestABulkOfMoreJobsThanWereCounted(t *testing.T) {
	for name, tt := range map[string]struct {
		done  int
		ended time.Time
		want  []string
	}{
		"at first":  {7, time.Time{}, []string{"<b>7</b> of 10,000+ jobs", `max="10000" value="7"`}},
		"then":      {12_000, time.Time{}, []string{"<b>12,000</b> of 12,000+ jobs", `<progress aria-label="Progress"></progress>`}},
		"it is all": {12_000, time.Now(), []string{"<b>12,000</b> of 12,000 jobs", `max="12000" value="12000"`}},
	} {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			b := record.Bulk{State: record.BulkRunning, Done: tt.done, EndedAt: tt.ended}
			b.Action, b.Expected = record.BulkCancel, record.BulkExpected{Jobs: 10_000, More: true}
			s.options.Record = &far{s.kept, b}
			s.start()
			want(t, s.get(path+"/bulks/one", s.logIn("vera")), tt.want...)
		})
	}
}

// A group of errors is retried by its code and lane, in the page's span.
func TestAGroupOfErrorsIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.draw("web", "a", time.Second, ending{code: job.CodeBlocked})
		s.draw("web", "b", time.Second, ending{code: job.CodeBlocked})
		want(t, s.get(path+"/errors", s.logIn("vera")), "-Retry the group")
		c := s.logIn("otto")
		groups := s.get(path+"/errors", c)
		want(t, groups, "A group is retried by its code and lane")
		dry := linkTo(t, groups, "/bulks/new?")
		want(t, s.get(dry, c), "status:failed,partial code:blocked after:24h lane:", "1 picture in 1 job", "Retry 1 job<")
	})
}

// A recorded bulk notes how many sweeps were asked for before.
type startedBulks struct {
	dashboard.Record

	site  *site
	asked int32
}

func (r *startedBulks) StartBulk(ctx context.Context, d record.BulkDraft, a record.Act) (record.Bulk, error) {
	r.asked = r.site.sweeps.n.Load()
	return r.Record.StartBulk(ctx, d, a)
}

// A sweep is asked for before a bulk is recorded: a process that dies right after that
// leaves no bulk that nobody goes on with.
func TestABulkHasASweepBeforeItIsRecorded(t *testing.T) {
	s := setup(t)
	rec := &startedBulks{Record: s.kept, site: s}
	s.options.Record = rec
	s.start()
	c := s.logIn("otto")
	s.create("web", "a", "m", 1)
	form := formOf(s.get(path+"/bulks/new?action=cancel&q=tenant:web", c))
	if resp := s.do(request{method: "POST", path: path + "/bulks/new", cookie: c, form: form}); resp.StatusCode != http.StatusSeeOther || rec.asked == 0 {
		t.Errorf("answered %s, after %d sweeps", resp.Status, rec.asked)
	}
}
