package dashboard

import (
	"cmp"
	"context"
	"html/template"
	"slices"
	"strconv"
	"time"

	"github.com/ai-worker/ai-worker/dashboard/chart"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

const (
	// trendDays is of how many full days a forecast takes the mean.
	trendDays = 7
	// lookBack is how many days a forecast looks back, to tell a day without pictures
	// from one before the service began.
	lookBack = 31
	// mostSpenders bounds how many tenants' costs of today are read: the first by name.
	mostSpenders = 10_000
)

// spending is what was spent of late.
type spending struct {
	days  []record.Spend // all, by day (UTC), of the latest lookBack days and today
	today []record.Spend // by tenant
	now   time.Time
}

// readSpending reads what was spent of late.
func (d *Dashboard) readSpending(ctx context.Context) (s spending, err error) {
	s.now = time.Now().UTC()
	today := s.now.Truncate(24 * time.Hour)
	until := today.AddDate(0, 0, 1)
	q := record.SpendQuery{From: today.AddDate(0, 0, -lookBack), To: until, Zone: time.UTC, Limit: lookBack + 1}
	if s.days, err = d.options.Record.Spend(ctx, q); err != nil {
		return s, errAway(err)
	}
	q = record.SpendQuery{From: today, To: until, Zone: time.UTC, Tenant: true, Limit: mostSpenders}
	if s.today, err = d.options.Record.Spend(ctx, q); err != nil {
		return s, errAway(err)
	}
	return s, nil
}

// A forecastView is what this month cost, and what it will have cost.
type forecastView struct {
	Month    string
	SoFar    int64 // in millionths of a US dollar, and so are the others
	Wasted   int64 // of that
	Guessed  int64 // of SoFar, estimated
	Rate     int64 // a day, of the full days that it is the mean of
	Days     int   // how many these are; 0 if there is none yet
	Left     int   // days of the month after today
	Forecast int64
	Chart    template.HTML
}

// forecast returns what this month will have cost if each day to come costs the mean of
// the last full days: trendDays of them, or fewer if the first attempt is not as old.
func forecast(days []record.Spend, now time.Time) forecastView {
	today := now.UTC().Truncate(24 * time.Hour)
	month := time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, time.UTC)
	v := forecastView{Month: month.Format("January"), Left: month.AddDate(0, 1, -1).Day() - today.Day()}
	var lately, todays int64
	for _, s := range days {
		if !s.At.Before(month) {
			v.SoFar, v.Wasted, v.Guessed = v.SoFar+s.CostMicros, v.Wasted+s.WastedMicros, v.Guessed+s.EstimatedMicros
		}
		switch back := int(today.Sub(s.At) / (24 * time.Hour)); {
		case back == 0:
			todays = s.CostMicros
		case back <= trendDays:
			lately += s.CostMicros
		}
	}
	if len(days) > 0 {
		v.Days = min(trendDays, int(today.Sub(days[0].At)/(24*time.Hour)))
	}
	if v.Days > 0 {
		v.Rate = lately / int64(v.Days)
		v.Forecast = v.SoFar + max(0, v.Rate-todays) + v.Rate*int64(v.Left)
	}
	v.Chart = drawDays("month", "Cost by day in "+v.Month+" (UTC)", month, month.AddDate(0, 1, 0), days)
	return v
}

// drawDays draws what each day from one up to another cost, and how much of that
// brought no picture.
func drawDays(id, title string, from, to time.Time, spent []record.Spend) template.HTML {
	var days []chart.Day
	year, month, first := from.Date()
	for n := first; ; n++ {
		day := job.DayBegin(year, month, n, from.Location()).In(from.Location())
		if !day.Before(to) {
			break
		}
		d := chart.Day{Name: strconv.Itoa(day.Day()), Full: day.Format("2 January"), Parts: []int64{0, 0}}
		for _, s := range spent {
			if s.At.Equal(day) {
				d.Parts[0] += s.CostMicros - s.WastedMicros
				d.Parts[1] += s.WastedMicros
			}
		}
		days = append(days, d)
	}
	keys := []chart.Key{{Kind: chart.Plain, Name: "pictures"}, {Kind: chart.Bad, Name: "brought no picture"}}
	return chart.Days(id, title, days, keys, money).HTML()
}

// A tenantView is what waits of a tenant, and what it cost today.
type tenantView struct {
	Tenant  string
	Waiting int
	Waits   time.Duration
	Today   int64 // in millionths of a US dollar
	Unread  bool  // Today was not read: there are more tenants than are read
	Budget  *budgetView
}

// viewTenants returns the tenants that wait, those with the most first, and then
// those that cost something today, the dearest first. It adds what each has used of
// its budget.
func viewTenants(waiting []record.TenantState, today []record.Spend, budgets budgetsView) []tenantView {
	var views []tenantView
	for _, t := range waiting {
		views = append(views, tenantView{Tenant: t.Tenant, Waiting: t.Waiting, Waits: t.Waits, Unread: len(today) == mostSpenders})
	}
	today = slices.Clone(today)
	slices.SortStableFunc(today, func(a, b record.Spend) int { return cmp.Compare(b.CostMicros, a.CostMicros) })
	for _, s := range today {
		i := slices.IndexFunc(views, func(v tenantView) bool { return v.Tenant == s.Tenant })
		switch {
		case i >= 0:
			views[i].Today, views[i].Unread = s.CostMicros, false
		case len(views) < record.MaxTenants && s.CostMicros > 0:
			views = append(views, tenantView{Tenant: s.Tenant, Today: s.CostMicros})
		}
	}
	for i := range views {
		scope := job.TenantBudget(views[i].Tenant)
		if row := slices.IndexFunc(budgets.Rows, func(b budgetView) bool { return b.Scope == scope && b.Path != "" }); row >= 0 {
			views[i].Budget = &budgets.Rows[row]
		}
	}
	return views
}
