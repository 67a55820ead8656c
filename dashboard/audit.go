package dashboard

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/record"
)

// auditLimit is how many entries a page of the audit has.
const auditLimit = 50

// An auditView is a page of what was done by hand.
type auditView struct {
	Who, Target string // what is asked for
	Entries     []auditEntry
	Later       bool   // this is not the first page
	First, Next string // paths of other pages; empty if there is none
}

type auditEntry struct {
	When   *moment
	Entry  record.AuditEntry
	Detail string
}

// auditPage shows what was done by hand, by whom and why.
func (d *Dashboard) auditPage(v *visit) error {
	asked := v.r.URL.Query()
	q := record.AuditQuery{Who: cutText(asked.Get("who")), Target: cutText(asked.Get("target")), Limit: auditLimit}
	if before, err := strconv.ParseInt(asked.Get("before"), 10, 64); err == nil && before > 0 {
		q.Before = before
	}
	found, err := d.options.Record.Audit(v.r.Context(), q)
	if err != nil {
		return errAway(err)
	}
	view := auditView{Who: q.Who, Target: q.Target, Later: q.Before > 0, First: auditPath(q, 0)}
	now := time.Now()
	for _, e := range found.Entries {
		view.Entries = append(view.Entries, auditEntry{When: at(e.At, now), Entry: e, Detail: detail(e.Detail)})
	}
	if found.Next > 0 {
		view.Next = auditPath(q, found.Next)
	}
	d.write(v, http.StatusOK, page{name: "audit", Title: "Audit", Read: true, Main: view})
	return nil
}

// auditPath returns the address of a page of a query.
func auditPath(q record.AuditQuery, before int64) string {
	asked := map[string]string{"who": q.Who, "target": q.Target}
	if before > 0 {
		asked["before"] = strconv.FormatInt(before, 10)
	}
	return pathWith(Path+"/audit", asked)
}

// detail returns what else is known of an entry, in words.
func detail(d map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(d)) {
		seconds, err := strconv.Atoi(d[name])
		switch {
		case name == "paused_seconds" && err == nil:
			parts = append(parts, "after "+span(time.Duration(seconds)*time.Second))
		case name == "paused_by":
			parts = append(parts, "paused by "+d[name])
		default:
			parts = append(parts, name+" "+d[name])
		}
	}
	return strings.Join(parts, ", ")
}
