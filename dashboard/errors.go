package dashboard

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/dashboard/chart"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// errorsLimit is how many groups the page of errors shows.
const errorsLimit = 100

// errorSpans are the spans that the page of errors looks at, by what its address
// says.
var errorSpans = []struct {
	Name, Words string
	length      time.Duration
	ago         string // as the search box takes it
}{
	{"hour", "the last hour", time.Hour, "1h"}, {"day", "the last 24 hours", 24 * time.Hour, "24h"},
	{"week", "the last 7 days", 7 * 24 * time.Hour, "7d"},
}

// An errorsView is groups of attempts that failed alike.
type errorsView struct {
	Span    string // as in errorSpans
	Words   string // the span, for people
	Spans   []spanLink
	Shown   []groupView
	Ignored []groupView // groups that are ignored, whether or not they have attempts in the span
	Acts    bool        // whoever looks may ignore groups
	More    bool        // there are more groups
	Looked  int         // attempts that were looked at
	Since   *moment     // from when on it is complete, if that is not the begin of the span
}

// A spanLink leads to another span.
type spanLink struct {
	Path, Words string
	Here        bool
}

// A groupView is a group as the page shows it.
type groupView struct {
	Name     record.ErrorName
	Attempts int
	Tenants  []string
	Others   int // tenants that are not named
	First    *moment
	Last     *moment
	Hours    template.HTML // a chart; empty if nothing is known
	JobID    string
	Retry    string               // path of the dry run that retries its jobs; empty if no search finds them
	Ignore   string               // path of the form that ignores it
	Notice   string               // and of the one that ends that
	Ignored  *record.IgnoredError // nil if it is not ignored, or is above what it is ignored for
	Until    *moment              // of that; nil without a date
	Loud     bool                 // it was ignored, and is above what it was ignored for
}

// errorsPage shows what failed alike.
func (d *Dashboard) errorsPage(v *visit) error {
	looked := errorSpans[1]
	for _, s := range errorSpans {
		if s.Name == v.r.URL.Query().Get("span") {
			looked = s
		}
	}
	now := time.Now().UTC()
	found, err := d.options.Record.Errors(v.r.Context(), now.Add(-looked.length), errorsLimit)
	if err != nil {
		return errAway(err)
	}
	ignored, err := d.options.Record.IgnoredErrors(v.r.Context())
	if err != nil {
		return errAway(err)
	}
	view := errorsView{
		Span: looked.Name, Words: looked.Words, Acts: v.who.Role.may(Operator), More: found.More, Looked: found.Looked,
	}
	for _, s := range errorSpans {
		view.Spans = append(view.Spans, spanLink{Path: Path + "/errors?span=" + s.Name, Words: s.Words, Here: s.Name == looked.Name})
	}
	view.Since = incomplete(found.Since, now.Add(-looked.length), now)
	view.sort(found, ignored)
	for i := range view.Shown {
		view.Shown[i].Retry = retryGroup(view.Shown[i].Name, looked.ago)
	}
	d.write(v, http.StatusOK, page{name: "errors", Title: "Errors", Read: true, Main: view})
	return nil
}

// sort puts groups where they are shown: those that are ignored apart.
func (v *errorsView) sort(found record.ErrorGroups, ignored []record.IgnoredError) {
	for n, g := range found.Groups {
		view := viewGroup(n, g, found.At)
		i := slices.IndexFunc(ignored, func(i record.IgnoredError) bool { return i.Name == g.Name() })
		if i < 0 {
			v.Shown = append(v.Shown, view)
			continue
		}
		view.ignore(ignored[i], found.At)
		if view.Loud = ignored[i].Over(g); view.Loud {
			v.Shown = append(v.Shown, view)
		} else {
			v.Ignored = append(v.Ignored, view)
		}
		ignored = slices.Delete(ignored, i, i+1)
	}
	for _, i := range ignored { // of which nothing failed
		view := groupView{Name: i.Name, Notice: Path + "/errors/notice?" + nameQuery(i.Name)}
		view.ignore(i, found.At)
		v.Ignored = append(v.Ignored, view)
	}
}

func (v *groupView) ignore(i record.IgnoredError, now time.Time) {
	v.Ignored = &i
	if !i.Until.IsZero() {
		v.Until = at(i.Until, now)
	}
}

func viewGroup(n int, g record.ErrorGroup, now time.Time) groupView {
	title := fmt.Sprintf("%s by the hour", g.Name().Target())
	return groupView{
		Name: g.Name(), Attempts: g.Attempts, Tenants: g.Tenants, Others: g.TenantCount - len(g.Tenants),
		First: at(g.First, now), Last: at(g.Last, now), JobID: g.JobID,
		Ignore: Path + "/errors/ignore?" + nameQuery(g.Name()), Notice: Path + "/errors/notice?" + nameQuery(g.Name()),
		Hours: chart.Spark(fmt.Sprint("group-", n), title, now, g.Hours[:]).HTML(),
	}
}

// retryGroup returns the dry run of the jobs that were asked for so long ago or later,
// and whose pictures failed as the group's attempts did. Words of the provider are not
// searched by. It returns nothing if no picture ends so.
func retryGroup(n record.ErrorName, ago string) string {
	if n.Outcome == job.OutcomeLost || n.Outcome == job.OutcomeGivenBack || strings.Contains(n.Lane, `"`) {
		return ""
	}
	text := "status:failed,partial code:" + quoted(string(n.Outcome)) + " after:" + ago
	if n.Lane != "" {
		text += " lane:" + quoted(n.Lane)
	}
	return bulkLink(record.BulkRetry, text)
}

// nameQuery returns the part of an address that names a group.
func nameQuery(n record.ErrorName) string {
	return url.Values{"code": {string(n.Outcome)}, "words": {n.Detail}, "lane": {n.Lane}}.Encode()
}

// nameOf returns the group that an address names. Only what a group can be called is
// one.
func nameOf(r *http.Request) (record.ErrorName, error) {
	q := r.URL.Query()
	n := record.ErrorName{Detail: q.Get("words"), Lane: q.Get("lane")}
	n.Outcome = outcomeOf(q.Get("code"))
	text := q.Get("code") + n.Detail + n.Lane
	if n.Outcome == "" || len(text) > 1000 || strings.ToValidUTF8(text, "") != text || strings.Contains(text, "\x00") {
		return n, errNotFound
	}
	return n, nil
}
