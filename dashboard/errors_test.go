package dashboard_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// linkTo returns the first link of a page whose address has a part.
func linkTo(t *testing.T, page, part string) string {
	t.Helper()
	for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if strings.Contains(m[1], part) {
			return html.UnescapeString(m[1])
		}
	}
	t.Fatalf("no link has %s in %s", part, page)
	return ""
}

// Errors that are alike are one group, with when, whose, how often and an example.
func TestErrorsAreGrouped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.draw("web", "a", time.Second, ending{code: job.CodeProviderError, says: `HTTP 503 id "x1" <b>down</b>`})
		time.Sleep(2 * time.Hour)
		latest := s.draw("other", "a", time.Second, ending{code: job.CodeProviderError, says: `HTTP 500 id "y2" <b>down</b>`})
		s.draw("web", "b", time.Second, ending{code: job.CodeBlocked})
		page := s.get(path+"/errors", s.logIn("vera"))
		want(t, words(page), "3 were looked at", "provider_error on a 2 attempts HTTP # id … &lt;b&gt;down&lt;/b&gt;", "First seen 00:00 UTC 2 h ago", "Last seen 02:00 UTC",
			"Tenants other, web", "blocked on b 1 attempt The provider said nothing.", "-Ignore…")
		want(t, page, `href="/admin/queues/jobs/`+latest.ID+`"`, "-<b>down")
		want(t, words(s.get(path+"/errors?span=hour", s.logIn("vera"))), "2 were looked at", "provider_error on a 1 attempt ")
		want(t, words(s.get(path+"/errors?span=hour", s.logIn("vera"))), "the last hour: ")
	})
}

func TestErrorsOfNothing(t *testing.T) {
	s := setup(t)
	want(t, words(s.get(path+"/errors?span=week", s.logIn("vera"))), "Nothing failed in the last 7 days.", "The overview tells")
}

// A group is ignored until a date or a number in a day, by who may, with a reason.
func TestIgnoreErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		fail := func() {
			s.draw("web", "a", time.Second, ending{code: job.CodeProviderError, says: "it's \"1\" & more=less"})
		}
		fail()
		c := s.logIn("otto")
		form := linkTo(t, s.get(path+"/errors", c), "/errors/ignore?")
		want(t, words(s.get(form, c)), "provider_error on a", "it's … &amp; more=less")
		post := func(to string, v url.Values) *http.Response {
			return s.do(request{method: "POST", path: to, cookie: c, form: v})
		}
		for _, bad := range []url.Values{
			{"reason": {"known"}}, {"reason": {"x"}, "above": {"3"}}, {"reason": {"known"}, "above": {"0"}}, {"reason": {"known"}, "above": {"many"}},
			{"reason": {"known"}, "until": {"2000-01-01"}}, {"reason": {"known"}, "until": {"2001-02-01"}}, {"reason": {"known"}, "until": {"soon"}},
		} {
			if resp := post(form, bad); resp.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("%v is answered %s", bad, resp.Status)
			}
		}
		s.nothingDone()
		if resp := post(form, url.Values{"reason": {"known & <waited> for"}, "above": {"2"}, "until": {"2000-01-03"}}); resp.Header.Get("Location") != path+"/errors?done=ignored" {
			t.Fatalf("answered %s to %s", resp.Status, resp.Header.Get("Location"))
		}
		page := s.get(path+"/errors?done=ignored", c)
		want(t, words(page), "The errors are ignored, and", "Nothing failed in the last 24 hours but what is ignored.", "Ignored provider_error on a 1 attempt",
			"otto: known &amp; &lt;waited&gt; for – until 2000-01-03 00:00 UTC or 2 in 24 hours", "Stop ignoring…")
		fail()
		page = s.get(path+"/errors", c)
		want(t, words(page), "provider_error on a 2 attempts", "It was ignored until 2 in 24 hours, by otto", "-Stop ignoring…")
		time.Sleep(48 * time.Hour) // the date has come
		c = s.logIn("otto")
		fail()
		want(t, words(s.get(path+"/errors", c)), "provider_error on a 1 attempt", "-gnored")

		post(form, url.Values{"reason": {"again"}, "above": {"99"}})
		notice := linkTo(t, s.get(path+"/errors", c), "/errors/notice?")
		want(t, words(s.get(notice, c)), "Stop ignoring errors")
		if resp := post(notice, why); resp.Header.Get("Location") != path+"/errors?done=noticed" {
			t.Errorf("answered %s to %s", resp.Status, resp.Header.Get("Location"))
		}
		if resp := post(notice, why); resp.StatusCode != http.StatusConflict {
			t.Errorf("a second time is answered %s", resp.Status)
		}
		entries, err := s.kept.Audit(t.Context(), record.AuditQuery{Target: "provider_error on a", Limit: 9})
		if err != nil {
			t.Fatal(err)
		}
		var got []record.Act
		for _, e := range entries.Entries {
			got = append(got, e.Act)
		}
		if diff := cmp.Diff([]record.Act{
			{Who: "otto", Role: "operator", Action: record.ActionNoticeError, Reason: "because"},
			{Who: "otto", Role: "operator", Action: record.ActionIgnoreError, Reason: "again"},
			{Who: "otto", Role: "operator", Action: record.ActionIgnoreError, Reason: "known & <waited> for"},
		}, got); diff != "" {
			t.Errorf("the audit (-want +got):\n%s", diff)
		}
		for _, odd := range []string{"", "?code=succeeded", "?code=%ff", "?code=blocked&words=" + strings.Repeat("x", 2000), "?code=blocked&lane=%00"} {
			if resp := s.do(request{method: "GET", path: path + "/errors/ignore" + odd, cookie: c}); resp.StatusCode != http.StatusNotFound {
				t.Errorf("%.30s is answered %s", odd, resp.Status)
			}
		}
	})
}
