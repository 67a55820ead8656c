package dashboard_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var (
	rowLinks = regexp.MustCompile(`data-row href="` + path + `/jobs/([0-9a-f-]+)"`)
	older    = regexp.MustCompile(`href="([^"]*)" rel="next"`)
)

// listed returns the ids on a page of the list, and the path of the next page.
func listed(page string) (ids []string, next string) {
	for _, m := range rowLinks.FindAllStringSubmatch(page, -1) {
		ids = append(ids, m[1])
	}
	if m := older.FindStringSubmatch(page); m != nil {
		next = html.UnescapeString(m[1])
	}
	return ids, next
}

// claim claims an image of a job that waits on lane a.
func (s *site) claim(j job.Job, index int) record.Claim {
	s.Helper()
	c, err := s.kept.Claim(s.Context(), record.ClaimRequest{
		Model: "m", Task: job.Task{JobID: j.ID, Index: index, Dispatch: 1, Lane: "a"}, Lease: time.Minute,
	})
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// Every job is on one page of the list, the newest first, also while others come.
func TestJobsAreListedPageByPage(t *testing.T) {
	s := setup(t)
	var made []string
	for range 300 {
		made = append(made, s.create("web", "a", "m", 1).ID)
	}
	c := s.logIn("vera")
	var seen []string
	pages := 0
	for next := path + "/jobs?q=tenant:web"; next != ""; pages++ {
		var ids []string
		page := s.get(next, c)
		ids, next = listed(page)
		seen = append(seen, ids...)
		if pages == 0 {
			want(t, page, "-Newest")
			s.create("web", "a", "m", 1)
		} else {
			want(t, page, `<a href="`+path+`/jobs?q=tenant%3Aweb">Newest</a>`)
		}
	}
	if len(seen) != len(made) || pages != 6 {
		t.Fatalf("%d jobs on %d pages, of %d", len(seen), pages, len(made))
	}
	for i, id := range seen {
		if id != made[len(made)-1-i] {
			t.Fatalf("job %d is %s, want %s", i, id, made[len(made)-1-i])
		}
	}
}

// A row says how a job is, in words; prompts are text; tokens are links.
func TestJobsPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		c := s.logIn("vera")
		want(t, words(s.get(path+"/jobs", c)), "There is no job yet.", "POST /api/generate-images", "0 pictures wait, and 0 are being drawn.")
		time.Sleep(time.Minute) // counts are kept for a while
		j := s.create("<i>web</i>", "a", "m", 3)
		s.create("other", "a", "x", 1)
		time.Sleep(10 * time.Minute)
		claim := s.claim(j, 0)
		time.Sleep(4200 * time.Millisecond)
		claim.Report.Bill = job.Bill{Billed: true, CostMicros: 33_600}
		if _, err := s.kept.Succeed(t.Context(), claim, record.Success{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.kept.Fail(t.Context(), s.claim(j, 1), job.Error{Code: job.CodeBlocked, Message: "No."}); err != nil {
			t.Fatal(err)
		}
		page := s.get(path+"/jobs", c)
		want(t, page, "-<script>alert", "&lt;script&gt;alert(1)", "-<i>web", url.QueryEscape(`tenant:<i>web</i>`), "code%3Ablocked")
		want(t, words(page), "▶ processing "+j.ID[:8]+"…"+j.ID[32:], "1/3 m 10 min ago 4.2 s $0.0336 blocked", "◷ queued",
			"2 pictures wait, and 0 are being drawn.", "◷ queued 1 ▶ processing 1 ● succeeded 0", "-+")
		page = s.get(path+"/jobs?q="+url.QueryEscape("code:blocked oops:1 status:processing"), c)
		want(t, words(page), "oops:1 has no key that is known", "▶ processing "+j.ID[:8], "-other", "-pictures wait")
		want(t, page, `value="code:blocked oops:1 status:processing"`, `href="`+path+`/jobs?q=code%3Ablocked&#43;status%3Aqueued"`, `aria-current="true"><span class="state busy">`)
		want(t, words(s.get(path+"/jobs?q=unicorn", c)), "No job is like that.", "Take a token away")
		for _, odd := range []string{"?from=x", "?from=%00", "?q=%00%ff", "?q=" + strings.Repeat("x", 5_000), "?from=" + strings.Repeat("f", 3_000)} {
			s.get(path+"/jobs"+odd, c)
		}
	})
}

// A page that is short because not all jobs were looked at says how far back it
// looked.
func TestJobsPageSaysHowFarItLooked(t *testing.T) {
	s := setup(t)
	some := &partly{Record: s.kept, page: record.SearchPage{Looked: 100_000, Next: someID, Since: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)}}
	s.options.Record = some
	s.start()
	c := s.logIn("vera")
	page := s.get(path+"/jobs?q=unicorn", c)
	want(t, words(page), "None of the 100,000 jobs since 2026-11-20 10:00 UTC is like that. There are older ones.", "● succeeded 98,000+", "✕ failed 0+")
	if _, next := listed(page); next != path+"/jobs?from="+someID+"&q=unicorn" {
		t.Errorf("the next page is %s", next)
	}
	some.page.Jobs = []record.BoardJob{{ID: someID, Status: job.StatusFailed}}
	want(t, words(s.get(path+"/jobs?q=horse", c)), "100,000 jobs were looked at, back to 2026-11-20 10:00 UTC.")
}

// A list that an index leads to is kept up to date. One that looks through many jobs is
// read once, and says when; a page that asks for news of it all the same is told to stop.
func TestListsThatLookThroughManyJobsAreReadOnce(t *testing.T) {
	s := setup(t)
	some := &partly{Record: s.kept}
	s.options.Record = some
	s.start()
	c := s.logIn("vera")
	for _, test := range []struct {
		search string
		looked int
		live   bool
	}{
		{"", 51, true},
		{"tenant:web", 51, true},
		{"id:0199a5a0", 1, true},
		{"after:2h before:1h", 51, true},
		{"status:failed", 3_000, true},
		{"status:failed tenant:web", 100_000, false},
		{"lighthouse", 51, false},
		{"code:blocked", 51, false},
		{"lane:a", 51, false},
		{"model:m", 51, false},
		{"cost>0.10", 51, false},
	} {
		some.page.Looked = test.looked
		p := path + "/jobs?q=" + url.QueryEscape(test.search)
		s.start() // nothing was read yet
		live, read, asked := "-", "", http.StatusGone
		if test.live {
			live, read, asked = "", "-", http.StatusOK
		}
		want(t, s.get(p, c), live+`id="live-state"`, read+">Read again</a>")
		resp := s.do(request{method: "GET", path: p, cookie: c, header: map[string]string{"Accept": "text/x-fragment"}})
		if resp.StatusCode != asked {
			t.Errorf("%q: news are answered %s, want %d", test.search, resp.Status, asked)
		}
	}
}

// partly is a record with a page of jobs that a test sets.
type partly struct {
	record.Record

	page record.SearchPage
}

func (p *partly) Search(_ context.Context, _ record.SearchQuery) (record.SearchPage, error) {
	return p.page, nil
}

func (p *partly) Count(_ context.Context, _ record.SearchQuery) (record.StatusTally, error) {
	t := record.StatusTally{Tally: record.Tally{More: true, Looked: 100_000}}
	t.Add(job.StatusSucceeded, 98_000)
	return t, nil
}

// All who look at the same within two seconds share one reading; while nobody looks,
// nothing is asked; and what has not changed is answered 304.
func TestWhoLooksAtJobsSharesAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		j := s.create("web", "a", "m", 1)
		time.Sleep(10 * time.Second)
		cookies := []*http.Cookie{s.logIn("vera"), s.logIn("otto"), s.logIn("ada")}
		for n, p := range []string{"/jobs?q=tenant:web", "/jobs/" + j.ID} {
			before := s.record.lists.Load()
			for i := range 9 {
				s.get(path+p, cookies[i%3])
			}
			if got := s.record.lists.Load() - before; got != 1 {
				t.Errorf("%d: %d readings", n, got)
			}
			ask := func(tag string) *http.Response {
				return s.do(request{method: "GET", path: path + p, cookie: cookies[0], header: map[string]string{"Accept": "text/x-fragment", "If-None-Match": tag}})
			}
			first := ask("")
			want(t, text(t, first), "queued", "-<html", "-<form")
			time.Sleep(5 * time.Second)
			if again := ask(first.Header.Get("ETag")); again.StatusCode != http.StatusNotModified && n == 0 {
				t.Errorf("%s is answered %s", p, again.Status)
			}
		}
		before := s.record.calls.Load()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := s.record.calls.Load(); got != before {
			t.Errorf("%d questions in a minute in which nobody looked", got-before)
		}
		_, _ = s.kept.Cancel(t.Context(), j.ID)
		time.Sleep(time.Minute)
		ended := s.do(request{method: "GET", path: path + "/jobs/" + j.ID, cookie: cookies[0], header: map[string]string{"Accept": "text/x-fragment"}})
		time.Sleep(5 * time.Second)
		again := s.do(request{method: "GET", path: path + "/jobs/" + j.ID, cookie: cookies[0], header: map[string]string{"Accept": "text/x-fragment", "If-None-Match": ended.Header.Get("ETag")}})
		if again.StatusCode != http.StatusNotModified {
			t.Errorf("a job that has ended is answered %s", again.Status)
		}
	})
}

// The jobs of all states are counted by one question.
func TestStatesAreCountedAtOnce(t *testing.T) {
	s := setup(t)
	if _, err := s.kept.Cancel(t.Context(), s.create("web", "a", "m", 1).ID); err != nil {
		t.Fatal(err)
	}
	s.create("web", "a", "m", 1)
	c := s.logIn("vera")
	before := s.record.calls.Load()
	want(t, words(s.get(path+"/jobs?q=tenant:web", c)), "◷ queued 1 ▶ processing 0", "○ canceled 1")
	if got := s.record.calls.Load() - before; got != 3 {
		t.Errorf("the record is asked %d questions, want 3: the session, the list and the counts", got)
	}
}

func TestPathsOfJobs(t *testing.T) {
	s := setup(t)
	c := s.logIn("ada")
	for _, id := range []string{someID, "x", strings.ToUpper(someID), "{" + someID + "}", strings.ReplaceAll(someID, "-", ""), "%00"} {
		for _, p := range []string{"", "/raw", "/cancel", "/retry", "/draw", "/delete", "/webhooks/m/replay"} {
			if resp := s.do(request{method: "GET", path: fmt.Sprintf("%s/jobs/%s%s", path, id, p), cookie: c}); resp.StatusCode != http.StatusNotFound {
				t.Errorf("%s%s is answered %s", id, p, resp.Status)
			}
		}
	}
}
