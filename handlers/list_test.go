package handlers_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/handlers"
)

// list returns the ids on all pages of a list, in order.
func (b *bundle) list(query string, headers ...string) (ids []string) {
	b.t.Helper()
	for cursor := ""; ; {
		a := b.do(http.MethodGet, "/api/jobs?"+query+cursor, "", headers...)
		if a.code != http.StatusOK {
			b.t.Fatalf("%s: %d %s", query, a.code, a.body)
		}
		var page handlers.JobList
		decode(b.t, a.body, &page)
		for _, j := range page.Jobs {
			ids = append(ids, j.ID)
		}
		if page.NextCursor == nil {
			return ids
		}
		cursor = "&cursor=" + url.QueryEscape(*page.NextCursor)
	}
}

func TestList(t *testing.T) {
	b := setup(t)
	if a := b.do(http.MethodGet, "/api/jobs", ""); a.body != `{"jobs":[],"next_cursor":null}` {
		t.Errorf("nothing is listed as %s", a.body)
	}
	var ids []string // the newest first
	for i := range 5 {
		a := b.generate(fmt.Sprintf(`{"prompt":"Fox %d","metadata":{"user":"u%d","album":"ä b"}}`, i, i%2))
		ids = append([]string{a.job(t).ID}, ids...)
	}
	b.do(http.MethodPost, "/api/jobs/"+ids[0]+"/cancel", "")
	middle := b.do(http.MethodGet, "/api/jobs/"+ids[2], "").job(t).CreatedAt.Format(time.RFC3339Nano)
	for query, want := range map[string][]string{
		"":                                  ids,
		"limit=2":                           ids,
		"limit=1&status=canceled":           ids[:1],
		"status=queued,processing&limit=3":  ids[1:],
		"q=FOX+3":                           ids[1:2],
		"q=box":                             nil,
		"metadata.user=u1":                  {ids[1], ids[3]},
		"metadata.user=u1&metadata.album=x": nil,
		"metadata.album=%C3%A4+b&metadata.user=u0": {ids[0], ids[2], ids[4]},
		"created_after=" + middle:                  ids[:3],
		"created_before=" + middle:                 ids[3:],
	} {
		if diff := cmp.Diff(want, b.list(query)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", query, diff)
		}
	}
	if got := b.list("", "Authorization", "Bearer "+otherKey); got != nil {
		t.Errorf("another tenant sees %v", got)
	}
}

func TestListShowsWhatGetShows(t *testing.T) {
	b := setup(t)
	id := b.generate(`{"prompt":"a"}`).job(t).ID
	b.do(http.MethodPost, "/api/jobs/"+id+"/cancel", "")
	want := `{"jobs":[` + b.do(http.MethodGet, "/api/jobs/"+id, "").body + `],"next_cursor":null}`
	if diff := cmp.Diff(want, b.do(http.MethodGet, "/api/jobs", "").body); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
}

func TestListRefuses(t *testing.T) {
	b := setup(t)
	for query, location := range map[string]string{
		"limit=0":                 "query.limit",
		"limit=101":               "query.limit",
		"status=done":             "query.status[0]",
		"state=queued":            "query.state",
		"Limit=1":                 "query.Limit",
		"created_after=yesterday": "query.created_after",
		"cursor=abc":              "query.cursor",
		"cursor=LTEuMDE":          "query.cursor",
		"q=%00":                   "query.q",
		"q=%ff":                   "query.q",
		"q=a&q=b":                 "query.q",
		"metadata.a=%00":          "query.metadata.a",
		"metadata.a=1&metadata.b=1&metadata.c=1&metadata.d=1&metadata.e=1&metadata.f=1": "query.metadata",
	} {
		p := b.do(http.MethodGet, "/api/jobs?"+query, "").problem(t, http.StatusUnprocessableEntity)
		if !slices.ContainsFunc(p.Errors, func(f fault) bool { return f.Location == location }) {
			t.Errorf("%q: %+v, want a fault at %s", query, p.Errors, location)
		}
	}
}
