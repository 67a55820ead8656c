package dashboard

import (
	"cmp"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

const (
	// mostSums bounds how many sums a page or a file is made of.
	mostSums = 50_000
	// mostTenants bounds how many tenants a page shows.
	mostTenants = 100
)

// A spendView is what a month cost.
type spendView struct {
	Month, Zone    string // as in the address
	Title          string // such as November 2026
	Previous, Next string // paths of other months; Next is empty for this one
	CSV            string
	Wrong          string // what of the address was not understood
	All            sumView
	Chart          template.HTML
	Days           []sumView // with attempts, the latest first
	Tenants        []sumView // the dearest first, and so are the others; mostTenants at most
	Others         sumView   // of tenants that are not shown
	Unshown        int       // how many these are
	Models         []sumView
	Waste          []sumView // by how the attempt ended
	Cut            bool      // there were more sums than are shown
	Budgets        budgetsView
	Shifted        bool // days of the zone begin within an hour of UTC's
}

// A sumView is what some attempts came to.
type sumView struct {
	Name string
	record.Sums
}

// PerPicture returns what a picture cost, with what was wasted, in millionths of a US
// dollar; 0 without one.
func (s sumView) PerPicture() int64 {
	if s.Pictures == 0 {
		return 0
	}
	return s.CostMicros / s.Pictures
}

// WastePart returns which part of the cost brought no picture, in percent.
func (s sumView) WastePart() float64 {
	if s.CostMicros == 0 {
		return 0
	}
	return 100 * float64(s.WastedMicros) / float64(s.CostMicros)
}

// A month is one of a time zone.
type month struct {
	from, to time.Time
	zone     *time.Location
	wrong    string // what was not understood of what was asked for
}

// monthFormat is how an address names a month.
const monthFormat = "2006-01"

// readMonth returns the month that an address asks for, in the zone that it names:
// this month in UTC, as far as it does not say or cannot be understood.
func readMonth(asked url.Values, now time.Time) month {
	m := month{zone: time.UTC}
	if name := strings.TrimSpace(asked.Get("zone")); name != "" {
		if zone, err := time.LoadLocation(name); err != nil || name == "Local" || len(name) > 64 {
			m.wrong = "There is no such time zone. Write one as Europe/Berlin or UTC."
		} else {
			m.zone = zone
		}
	}
	now = now.In(m.zone)
	m.from = job.DayBegin(now.Year(), now.Month(), 1, m.zone).In(m.zone)
	if text := strings.TrimSpace(asked.Get("month")); text != "" {
		if from, err := time.Parse(monthFormat, text); err != nil || from.Year() < 1970 {
			m.wrong = "There is no such month. Write one as " + m.from.Format(monthFormat) + "."
		} else {
			m.from = job.DayBegin(from.Year(), from.Month(), 1, m.zone).In(m.zone)
		}
	}
	m.to = job.DayBegin(m.from.Year(), m.from.Month()+1, 1, m.zone).In(m.zone)
	return m
}

// path returns the address of a page about the month, so many months away.
func (m month) path(page string, away int) string {
	return Path + page + "?" + url.Values{"month": {m.from.AddDate(0, away, 0).Format(monthFormat)}, "zone": {m.zone.String()}}.Encode()
}

// query returns what asks for the sums of the month, day by day.
func (m month) query() record.SpendQuery {
	return record.SpendQuery{From: m.from, To: m.to, Zone: m.zone, Limit: mostSums}
}

// spendPage shows what a month cost.
func (d *Dashboard) spendPage(v *visit) error {
	now := time.Now()
	m := readMonth(v.r.URL.Query(), now)
	byOutcome, byTenant, byModel := m.query(), m.query(), m.query()
	byOutcome.Outcome, byTenant.Tenant, byModel.Model = true, true, true
	byTenant.Whole, byModel.Whole = true, true
	var sums [3][]record.Spend
	for i, q := range []record.SpendQuery{byOutcome, byTenant, byModel} {
		var err error
		if sums[i], err = d.options.Record.Spend(v.r.Context(), q); err != nil {
			return errAway(err)
		}
	}
	view := spendView{
		Month: m.from.Format(monthFormat), Zone: m.zone.String(), Title: m.from.Format("January 2006"), Wrong: m.wrong,
		Previous: m.path("/spend", -1), CSV: m.path("/spend.csv", 0),
		Days:    sumBy(sums[0], func(s record.Spend) string { return s.At.In(m.zone).Format(time.DateOnly) }),
		Tenants: sumBy(sums[1], func(s record.Spend) string { return s.Tenant }),
		Models:  sumBy(sums[2], func(s record.Spend) string { return s.Model }),
		Waste:   wasteOf(sums[0]),
		Cut:     max(len(sums[0]), len(sums[1]), len(sums[2])) >= mostSums,
	}
	view.cutTenants()
	var err error
	if view.Budgets, err = d.readBudgets(v); err != nil {
		return err
	}
	view.Chart = drawDays("days", "Cost by day in "+view.Title+" ("+view.Zone+")", m.from, m.to, sums[0])
	if m.to.Before(now) {
		view.Next = m.path("/spend", 1)
	}
	for _, day := range view.Days {
		view.All.Sums = view.All.Plus(day.Sums)
	}
	slices.SortFunc(view.Days, func(a, b sumView) int { return cmp.Compare(b.Name, a.Name) })
	_, offset := m.from.Zone()
	view.Shifted = offset%3600 != 0
	d.write(v, http.StatusOK, page{name: "spend", Title: "Spend", Read: true, Main: view})
	return nil
}

// cutTenants adds up the tenants that are not shown.
func (v *spendView) cutTenants() {
	if len(v.Tenants) <= mostTenants {
		return
	}
	for _, t := range v.Tenants[mostTenants:] {
		v.Others.Sums = v.Others.Plus(t.Sums)
		v.Unshown++
	}
	v.Tenants = v.Tenants[:mostTenants]
}

// sumBy adds sums with the same name, and returns them with the dearest first.
func sumBy(all []record.Spend, name func(record.Spend) string) []sumView {
	var views []sumView
	index := make(map[string]int)
	for _, s := range all {
		i, known := index[name(s)]
		if !known {
			i = len(views)
			index[name(s)] = i
			views = append(views, sumView{Name: name(s)})
		}
		views[i].Sums = views[i].Plus(s.Sums)
	}
	slices.SortStableFunc(views, func(a, b sumView) int {
		return cmp.Or(cmp.Compare(b.CostMicros, a.CostMicros), cmp.Compare(b.Attempts, a.Attempts), cmp.Compare(a.Name, b.Name))
	})
	return views
}

// wasteOf returns what brought no picture, by how it ended.
func wasteOf(all []record.Spend) []sumView {
	none := slices.DeleteFunc(slices.Clone(all), func(s record.Spend) bool { return s.Outcome == job.OutcomeSucceeded })
	return sumBy(none, func(s record.Spend) string { return string(s.Outcome) })
}

// A sumsTable is a table of sums, and what stands above it.
type sumsTable struct {
	ID, Title, Head string
	Rows            []sumView
}

func newSumsTable(id, title, head string, rows []sumView) sumsTable {
	return sumsTable{id, title, head, rows}
}
