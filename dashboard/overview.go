package dashboard

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// An overviewView is what an operator looks at first.
type overviewView struct {
	lanesView
	hourView

	Budgets   budgetsView
	Month     forecastView
	Waiting   int
	Parked    int
	Unsent    int // without a task on a queue
	InFlight  int
	Oldest    time.Duration
	Drained   *moment // when the last lane will have sent what waits
	Needing   int     // lanes and models that need a hand
	Tenants   []tenantView
	Budgeted  bool // one of the tenants has a budget
	Untold    int  // tenants that are not listed
	Spenders  int  // tenants whose costs of today were read; 0 if that is all
	Ended     []endedView
	More      bool // more ended than are counted
	MostEnded int
	Empty     bool // nobody has asked for anything of late
}

// An endedView is how many jobs ended in one way.
type endedView struct {
	State state
	Jobs  int
}

// overview returns the overview, as it was read for all who look.
func (d *Dashboard) overview(ctx context.Context) (record.Overview, error) {
	return d.overviews.get(ctx, "", func(ctx context.Context) (record.Overview, error) {
		return orAway(d.options.Record.Overview(ctx))
	})
}

// overviewPage shows how everything is going.
func (d *Dashboard) overviewPage(v *visit) error {
	o, err := d.overview(v.r.Context())
	if err != nil {
		return err
	}
	l, err := d.lately.get(v.r.Context(), "", d.readLately)
	if err != nil {
		return err
	}
	s, err := d.spending.get(v.r.Context(), "", d.readSpending)
	if err != nil {
		return err
	}
	budgets, err := d.readBudgets(v)
	if err != nil {
		return err
	}
	view := d.viewOverview(o, v.who.Role)
	view.Budgets = budgets.first()
	oldest, inFlight := l.activity.Oldest(), make(map[string]int)
	for i, l := range view.Lanes {
		view.Lanes[i].Oldest, inFlight[l.Name] = oldest[l.Name], l.InFlight
	}
	view.hourView, view.Month, view.Tenants = d.viewHour(l, inFlight), forecast(s.days, s.now), viewTenants(o.Tenants, s.today, budgets)
	if len(s.today) == mostSpenders {
		view.Spenders = mostSpenders
	}
	view.Budgeted = slices.ContainsFunc(view.Tenants, func(t tenantView) bool { return t.Budget != nil })
	d.write(v, http.StatusOK, page{name: "overview", Title: "Overview", Live: true, Main: view})
	return nil
}

func (d *Dashboard) viewOverview(o record.Overview, role Role) overviewView {
	v := overviewView{
		lanesView: d.viewLanes(o, role), Waiting: o.Backlog.Waiting, Parked: o.Backlog.Parked, Unsent: o.Backlog.Unsent,
		InFlight: o.Backlog.Processing, Oldest: o.Backlog.Waits, Untold: o.Waiting - len(o.Tenants),
		Ended: viewEnded(o.Ended), More: o.Ended.More, MostEnded: record.MaxEnded,
	}
	for _, l := range v.Lanes {
		if l.Drained != nil && (v.Drained == nil || l.Drained.At.After(v.Drained.At)) {
			v.Drained = l.Drained
		}
		if l.Needs {
			v.Needing++
		}
	}
	v.Needing += len(v.Unserved)
	v.Empty = v.Waiting+v.InFlight+len(o.Ended.Jobs) == 0
	return v
}

// viewEnded returns how many jobs ended in which way, always in the same order.
func viewEnded(e record.Ended) []endedView {
	if len(e.Jobs) == 0 {
		return nil
	}
	var views []endedView
	for _, status := range []job.Status{job.StatusSucceeded, job.StatusPartial, job.StatusFailed, job.StatusCanceled} {
		views = append(views, endedView{State: jobState(status), Jobs: e.Jobs[status]})
	}
	return views
}
