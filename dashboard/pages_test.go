package dashboard_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

var tags = regexp.MustCompile(`<[^>]*>`)

// words returns what a page says, without its marks.
func words(page string) string {
	_, main, _ := strings.Cut(page, `<main id="main">`)
	main, _, _ = strings.Cut(main, "</main>")
	return strings.Join(strings.Fields(strings.NewReplacer("&#34;", `"`, "&#39;", "'").Replace(tags.ReplaceAllString(main, " "))), " ")
}

// section returns the words of a page from one text up to another.
func section(t *testing.T, page, from, to string) string {
	t.Helper()
	_, after, found := strings.Cut(words(page), from)
	part, _, ended := strings.Cut(after, to)
	if !found || !ended {
		t.Fatalf("the page has no part from %q to %q: %s", from, to, words(page))
	}
	return strings.TrimSpace(part)
}

// Each lane says how it is, since when, why, and what mends it, in doctor's words.
func TestLanesSayWhatMendsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is midnight
		s := setup(t)
		s.options.Lanes = []lane.Lane{
			{Name: "up", Model: "m", RPM: 60, Concurrency: 5, AlsoServes: []string{"m0"}}, {Name: "quota", Model: "m", RPM: 60},
			{Name: "dead", Model: "m", RPM: 60}, {Name: "tried", Model: "m", RPM: 60}, {Name: "hand", Model: "m", RPM: 60},
			{Name: "off", Model: "m", RPM: 60, Paused: true}, {Name: "end", Model: "m", RPM: 60},
		}
		s.start()
		s.create("web", "up", "m", 3)
		s.create("web", "gone", "m", 2)
		s.create("web", "", "retired", 4)
		pause := func(name string, p record.Pause) {
			if err := s.kept.Pause(t.Context(), []string{name}, p); err != nil {
				t.Fatal(err)
			}
		}
		pause("tried", record.Pause{For: time.Minute, Reason: job.Error{Code: job.CodeProviderError, Message: "It failed."}})
		time.Sleep(2 * time.Minute)
		pause("quota", record.Pause{For: 10 * time.Minute, Reason: job.Error{Code: job.CodeQuotaExhausted, Message: "Used up."}})
		pause("dead", record.Pause{For: 5 * time.Minute, Broken: true, Reason: job.Error{Code: job.CodeLaneUnavailable, Message: "Refused."}})
		if err := s.kept.PauseByHand(t.Context(), "hand", record.Act{Who: "otto", Role: "operator", Action: record.ActionPauseLane, Reason: "<b>why</b>"}); err != nil {
			t.Fatal(err)
		}
		page := s.get(path+"/lanes", s.logIn("otto"))
		for lane, w := range map[string][]string{
			"up quota":        {"● open draws m · also asked for as m0", "Waiting 3", "In flight 0 of 5", "Quota 60 a minute", "Drained 00:02 UTC in 3 s", "Pause…", "-Resume…"},
			"quota dead":      {"‖ paused", "quota_exhausted: Used up.", "raise the quota", "lower GEMINI_RPM", "Since 00:02 UTC 0 s ago", "Opens 00:12 UTC in 10 min"},
			"dead tried":      {"✕ broken", "lane_unavailable: Refused.", "Mend what the gemini line of this lane", "Opens 00:07 UTC in 5 min"},
			"tried hand":      {"◐ on probation", "It was closed: provider_error: It failed.", "The next delivery finds out", "Since 00:00 UTC 2 min ago", "-Opens"},
			"hand off":        {"■ paused by hand", "otto: &lt;b&gt;why&lt;/b&gt;", "until an operator resumes it", "Resume…", "-Pause…"},
			"off end":         {"○ off in the settings", `Take "paused" from the lane in LANES`, "-Pause…", "-Resume…"},
			"gone Drained is": {"? not in the settings", "Waiting 2", "The next sweep"},
		} {
			from, to, _ := strings.Cut(lane, " ")
			want(t, section(t, page, " "+from+" "+firstSign(w[0]), " "+to), append([]string{strings.TrimSpace(strings.TrimPrefix(w[0], firstSign(w[0])))}, w[1:]...)...)
		}
		want(t, words(page), "Models that no lane draws retired : 4 pictures wait. No lane serves the model.", `Add "retired" to "also_serves"`)
	})
}

// firstSign returns the sign that a text begins with.
func firstSign(text string) string { return string([]rune(text)[0]) }

// The overview counts what waits exactly, and says so where it does not count all.
func TestOverviewCountsHonestly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.create("web", "a", "m", 16)
		s.create("web", "b", "m", 4)
		s.create("<i>batch</i>", "", "retired", 3)
		ended := s.create("other", "a", "m", 1)
		if _, err := s.kept.Cancel(t.Context(), ended.ID); err != nil {
			t.Fatal(err)
		}
		page := s.get(path, s.logIn("vera"))
		want(t, words(page), "Waiting 23", "In flight 0", "Without a lane 3", "&lt;i&gt;batch&lt;/i&gt; 3", "web 20", "canceled 1", "succeeded 0",
			"a m ● open 16 0 s 0 60 a min", "-+", "-Nothing was asked for", "-alert(1)")

		many := &stated{Record: s.kept, overview: record.Overview{
			At: time.Now(), Ended: record.Ended{Jobs: map[job.Status]int{job.StatusSucceeded: 9_990, job.StatusFailed: 10}, More: true},
			Tenants: []record.TenantState{{Tenant: "web", Waiting: 12_345, Waits: 3 * time.Hour}}, Waiting: 60, Backlog: record.Backlog{Waiting: 1_000_000},
		}}
		c := s.logIn("vera")
		s.options.Record = many
		s.start()
		want(t, words(s.get(path, c)), "Waiting 1,000,000", "web 12,345 3 h", "And 59 more with fewer pictures that wait.", "succeeded 9,990+", "failed 10+", "canceled 0 ",
			"More than 10,000 ended. These are the latest 10,000.")
		many.overview = record.Overview{At: time.Now()}
		s.start()
		want(t, words(s.get(path, c)), "Nothing was asked for in the last 24 hours", "POST /api/generate-images", "Nothing waits, and nothing was drawn today", "-What needs a look")
	})
}

// A lane that answers for a model draws its pictures only while no lane of that model may.
func TestPagesKnowWhichLanesDrawAModel(t *testing.T) {
	s := setup(t)
	s.options.Lanes = []lane.Lane{{Name: "a", Model: "m", RPM: 60}, {Name: "b", Model: "newer", AlsoServes: []string{"m"}, RPM: 60}}
	s.start()
	c := s.logIn("otto")
	if _, err := s.kept.Cancel(t.Context(), s.create("web", "a", "m", 12).ID); err != nil {
		t.Fatal(err)
	}
	want(t, s.get(path+"/bulks/new?action=retry&q=tenant:web", c), "about 12 s")
	want(t, words(s.get(path+"/lanes/a/pause", c)), "What waits on it (0 pictures) goes to other lanes of newer: b.")
}

// A pause is written down, known at once, asked to be swept, and undone by hand.
func TestOperatorsPauseAndResumeLanes(t *testing.T) {
	s := setup(t)
	s.create("web", "a", "m", 3)
	c := s.logIn("otto")
	s.get(path+"/lanes", c) // is kept for 2 s
	want(t, words(s.get(path+"/lanes/a/pause", c)), "What waits on it (3 pictures) goes to other lanes of m: b.")
	act := func(verb, reason string) *http.Response {
		return s.do(request{method: "POST", path: path + "/lanes/a/" + verb, cookie: c, form: url.Values{"reason": {reason}}})
	}
	for _, bad := range []string{"", "  x ", strings.Repeat("x", 501), "\xff\xff\xff"} {
		resp := act("pause", bad)
		if page := text(t, resp); resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page, "Say why") {
			t.Errorf("%.9q is answered %s", bad, resp.Status)
		}
	}
	s.nothingDone()
	resp := act("pause", "  the key <leaks>\n")
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != path+"/lanes?done=paused" {
		t.Fatalf("answered %s to %s", resp.Status, resp.Header.Get("Location"))
	}
	page := s.get(path+"/lanes?done=paused", c)
	want(t, page, "The lane is paused.", "paused by hand", "otto: the key &lt;leaks&gt;")
	if got := act("pause", "me too").StatusCode; got != http.StatusConflict {
		t.Errorf("a second pause is answered %d", got)
	}
	want(t, words(s.get(path+"/lanes/b/pause", c)), "No other open lane draws m", "0 pictures")
	if got := act("resume", "mended").StatusCode; got != http.StatusSeeOther {
		t.Errorf("the resume is answered %d", got)
	}
	if got := act("resume", "again").StatusCode; got != http.StatusConflict {
		t.Errorf("a second resume is answered %d", got)
	}
	if n := s.sweeps.n.Load(); n != 2 {
		t.Errorf("%d sweeps were asked for, want one for each", n)
	}
	want(t, s.get(path+"/lanes", c), "-paused by hand")

	entries, err := s.kept.Audit(t.Context(), record.AuditQuery{Target: "a", Limit: 9})
	if err != nil {
		t.Fatal(err)
	}
	var got []record.Act
	for _, e := range entries.Entries {
		got = append(got, e.Act)
	}
	if diff := cmp.Diff([]record.Act{
		{Who: "otto", Role: "operator", Action: record.ActionResumeLane, Reason: "mended"},
		{Who: "otto", Role: "operator", Action: record.ActionPauseLane, Reason: "the key <leaks>"},
	}, got); diff != "" {
		t.Errorf("the audit (-want +got):\n%s", diff)
	}
	if got := s.do(request{method: "POST", path: path + "/lanes/nowhere/pause", cookie: c, form: why}).StatusCode; got != http.StatusNotFound {
		t.Errorf("a lane that is none is answered %d", got)
	}
}

// The audit shows what was done, page by page, and what is asked for of it.
func TestAuditPage(t *testing.T) {
	s := setup(t)
	want(t, words(s.get(path+"/audit?who=nobody", s.logIn("vera"))), "Nothing of that.")
	for n := range 60 {
		err := s.kept.PauseByHand(t.Context(), fmt.Sprint("lane-", n), record.Act{Who: "otto", Role: "operator", Action: record.ActionPauseLane, Reason: "<script>alert(1)</script>"})
		if err != nil {
			t.Fatal(err)
		}
	}
	c := s.logIn("vera")
	page := s.get(path+"/audit?who=otto", c)
	want(t, page, "lane-59", "lane-10<", "-lane-9<", "&lt;script&gt;alert(1)", "-<script>alert", "Older")
	next := regexp.MustCompile(`href="([^"]*)" rel="next"`).FindStringSubmatch(page)[1]
	page = s.get(strings.ReplaceAll(next, "&amp;", "&"), c)
	want(t, page, "lane-9<", "lane-0<", "-lane-10<", "Latest", "-Older", "-vera</td>")
	want(t, words(s.get(path+"/audit?target=lane-7", c)), "pause lane lane-7", "-lane-70", "-lane-6")
	for _, odd := range []string{"?before=x", "?before=-1", "?who=%00", "?who=%ff", "?target=" + strings.Repeat("x", 3_000)} {
		s.get(path+"/audit"+odd, c)
	}
}

// A page that is looked at asks for what is new of it. If nothing is, the answer is
// 304.
func TestWhatIsNewOfAPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		c := s.logIn("vera")
		ask := func(tag string) *http.Response {
			return s.do(request{method: "GET", path: path, cookie: c, header: map[string]string{"Accept": "text/x-fragment", "If-None-Match": tag}})
		}
		first := ask("")
		part, tag := text(t, first), first.Header.Get("ETag")
		if first.StatusCode != http.StatusOK || tag == "" {
			t.Fatalf("answered %s with ETag %q", first.Status, tag)
		}
		want(t, part, "Waiting", "-<html", "-<main")
		want(t, s.get(path, c), `<div id="live">`+part)
		time.Sleep(5 * time.Second)
		if again := ask(tag); again.StatusCode != http.StatusNotModified || text(t, again) != "" {
			t.Errorf("answered %s", again.Status)
		}
		s.create("web", "a", "m", 1)
		time.Sleep(5 * time.Second)
		if changed := ask(tag); changed.StatusCode != http.StatusOK || changed.Header.Get("ETag") == tag {
			t.Errorf("answered %s with ETag %q", changed.Status, changed.Header.Get("ETag"))
		}
		if resp := s.do(request{method: "GET", path: path, header: map[string]string{"Accept": "text/x-fragment"}}); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("without a login: answered %s", resp.Status)
		}
	})
}

// All who look within two seconds share one reading. While nobody looks, nothing is
// asked: no reading goes on by itself.
func TestWhoLooksSharesAReadingAndNobodyAsksForNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		cookies := []*http.Cookie{s.logIn("vera"), s.logIn("otto"), s.logIn("ada")}
		for round := range int32(3) {
			var group sync.WaitGroup
			for n := range 200 {
				group.Go(func() {
					s.do(request{method: "GET", path: path + []string{"", "/lanes"}[n%2], cookie: cookies[n%3]})
				})
			}
			group.Wait()
			time.Sleep(time.Second)
			s.get(path, cookies[0])
			if got := s.record.overviews.Load(); got != round+1 {
				t.Errorf("round %d: %d readings", round, got)
			}
			time.Sleep(2 * time.Second)
		}
		before := s.record.calls.Load()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := s.record.calls.Load(); got != before {
			t.Errorf("%d questions in a minute in which nobody looked", got-before)
		}
	})
}

// While the record is away, a page says so, with the time to try again, and does not
// ask for each who looks.
func TestTheRecordIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		c := s.logIn("vera")
		s.record.err = errors.New("connection to secret-host refused")
		for range 5 {
			resp := s.do(request{method: "GET", path: path, cookie: c})
			if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "5" {
				t.Errorf("answered %s", resp.Status)
			}
			want(t, text(t, resp), "The record cannot be reached", "-secret-host")
		}
		if n := s.record.overviews.Load(); n != 1 {
			t.Errorf("it was asked %d times", n)
		}
	})
}

// A browser keeps its own colours.
func TestTheme(t *testing.T) {
	s := setup(t)
	c := s.logIn("vera")
	choose := func(theme, back string) *http.Response {
		return s.do(request{method: "POST", path: path + "/theme", cookie: c, form: url.Values{"theme": {theme}, "back": {back}}})
	}
	resp := choose("dark", path+"/lanes")
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != path+"/lanes" || len(resp.Cookies()) != 1 {
		t.Fatalf("answered %s to %s with %v", resp.Status, resp.Header.Get("Location"), resp.Cookies())
	}
	want(t, text(t, s.do(request{method: "GET", path: path + "/login", cookie: resp.Cookies()[0]})), `data-theme="dark"`)
	if resp := choose("dark", "https://evil.example.com"); resp.Header.Get("Location") != path {
		t.Errorf("leads to %s", resp.Header.Get("Location"))
	}
	if resp := choose(`"><script>`, path); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("nonsense is answered %s", resp.Status)
	}
}

func TestWords(t *testing.T) {
	for d, w := range map[time.Duration]string{
		0: "0 s", 89 * time.Second: "89 s", 90 * time.Second: "2 min", 89 * time.Minute: "89 min", 90 * time.Minute: "1 h 30 min",
		2 * time.Hour: "2 h", 47 * time.Hour: "47 h", 72 * time.Hour: "3 days", -time.Second: "0 s",
	} {
		if got := dashboard.Span(d); got != w {
			t.Errorf("%v is %q, want %q", d, got, w)
		}
	}
	for d, w := range map[time.Duration]string{
		59 * time.Second: "just now", time.Minute: "1 min ago", 119 * time.Second: "1 min ago", 2 * time.Minute: "2 min ago", 48 * time.Hour: "2 days ago",
	} {
		if got := dashboard.Ago(d); got != w {
			t.Errorf("%v ago is %q, want %q", d, got, w)
		}
	}
	for n, w := range map[int]string{0: "0", 999: "999", 1_000: "1,000", 1_234_567: "1,234,567", -1_234: "−1,234"} {
		if got := dashboard.Number(n); got != w {
			t.Errorf("%d is %q, want %q", n, got, w)
		}
	}
}
