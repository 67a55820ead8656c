package dashboard

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/dashboard/chart"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

// lately is what attempts came to within the last hour.
type lately struct {
	activity record.Activity
	slots    record.Slots
}

// readLately reads what attempts came to of late.
func (d *Dashboard) readLately(ctx context.Context) (l lately, err error) {
	if l.activity, err = d.options.Record.Activity(ctx); err != nil {
		return l, errAway(err)
	}
	since := l.activity.At.Truncate(time.Minute).Add(-chart.Minutes * time.Minute)
	if l.slots, err = d.options.Record.Slots(ctx, "", since); err != nil {
		return l, errAway(err)
	}
	return l, nil
}

// An hourView is the last hour, lane by lane.
type hourView struct {
	Strips []stripView
	Quiet  []string      // lanes that nothing was begun on
	Since  *moment       // from when on it is complete, if that is not an hour ago
	Waits  template.HTML // a chart; empty if there is nothing to draw
	Paces  template.HTML // the same over time; empty if nothing was drawn
	Errors []errorKind   // of the last hour, the most frequent first
}

// A stripView is the last hour of one lane.
type stripView struct {
	Lane  string
	Used  int // what was begun in the last full minute, and ended since
	Begun int // what was begun since that minute, and ended already
	// InFlight is what is claimed now: most of it has been asked for in one of these
	// minutes, and is in neither count.
	InFlight int
	RPM      int
	Minute   *moment // that minute
	Chart    template.HTML
}

// An errorKind is how often attempts failed in one way.
type errorKind struct {
	Outcome job.Outcome
	N       int
}

// viewHour returns the last hour of the lanes of the settings, and of others that
// something was begun on.
func (d *Dashboard) viewHour(l lately, inFlight map[string]int) hourView {
	now := l.activity.At
	minute := now.Truncate(time.Minute)
	v := hourView{Errors: errorKinds(l.activity), Waits: d.drawWaits(l.activity), Paces: drawPaces(l.activity)}
	v.Since = incomplete(l.slots.Since, minute.Add(-chart.Minutes*time.Minute), now)
	names := make([]string, 0, len(d.options.Lanes))
	for _, known := range d.options.Lanes {
		names = append(names, known.Name)
	}
	slotsOf := make(map[string][]record.Minute)
	for _, s := range l.slots.Lanes {
		slotsOf[s.Lane] = s.Minutes
		if !slices.Contains(names, s.Lane) {
			names = append(names, s.Lane)
		}
	}
	for i, name := range names {
		if len(slotsOf[name]) == 0 {
			v.Quiet = append(v.Quiet, name)
			continue
		}
		known, _ := lane.Find(d.options.Lanes, name)
		strip := viewStrip(i, len(v.Strips) == 0, name, known.RPM, slotsOf[name], minute, now)
		strip.InFlight = inFlight[name]
		v.Strips = append(v.Strips, strip)
	}
	return v
}

// viewStrip returns the strip of one lane, which ends before a minute. The first one
// says what its colours stand for.
func viewStrip(i int, first bool, name string, rpm int, of []record.Minute, until, now time.Time) stripView {
	v := stripView{Lane: name, RPM: rpm, Minute: at(until.Add(-time.Minute), now)}
	minutes := make([]chart.Minute, len(of))
	for i, m := range of {
		minutes[i] = chart.Minute(m)
		switch all := m.Drawn + m.Limited + m.Failed + m.Other; {
		case m.At.Equal(v.Minute.At):
			v.Used = all
		case m.At.After(v.Minute.At):
			v.Begun += all
		}
	}
	drawing := chart.Strip(fmt.Sprint("strip-", i), name, until, minutes, rpm)
	if !first {
		drawing.Legend = nil // it is that of the first
	}
	v.Chart = drawing.HTML()
	return v
}

// errorKinds returns how often attempts of all lanes failed, and in which way.
func errorKinds(a record.Activity) []errorKind {
	sums := make(map[job.Outcome]int)
	for _, l := range a.Lanes {
		for outcome, n := range l.Outcomes {
			if record.Failed(outcome) && n > 0 {
				sums[outcome] += n
			}
		}
	}
	kinds := make([]errorKind, 0, len(sums))
	for _, outcome := range slices.Sorted(maps.Keys(sums)) {
		kinds = append(kinds, errorKind{outcome, sums[outcome]})
	}
	slices.SortStableFunc(kinds, func(a, b errorKind) int { return cmp.Compare(b.N, a.N) })
	return kinds
}

// drawPaces draws how long pictures of all lanes waited and ran over the last hour.
func drawPaces(a record.Activity) template.HTML {
	if len(a.Paces) == 0 {
		return ""
	}
	paces := make([]chart.Pace, len(a.Paces))
	for i, p := range a.Paces {
		paces[i] = chart.Pace{
			At: p.At, Pictures: p.Wait.Pictures,
			WaitMedian: p.Wait.Median, WaitP95: p.Wait.P95, RunMedian: p.Run.Median, RunP95: p.Run.P95,
		}
	}
	var oldest time.Duration
	for _, waited := range a.Oldest() {
		oldest = max(oldest, waited)
	}
	return chart.Paces("paces", a.At, record.PaceStretch, paces, oldest, span).HTML()
}

// noLane stands for the lane of pictures that no lane serves.
const noLane = "without a lane"

// drawWaits draws how long pictures waited and ran, and how long the oldest waits,
// of all lanes of which something is known.
func (d *Dashboard) drawWaits(a record.Activity) template.HTML {
	of := make(map[string]*chart.Wait)
	names := []string{}
	row := func(name string) *chart.Wait {
		name = cmp.Or(name, noLane)
		if of[name] == nil {
			of[name] = &chart.Wait{Lane: name}
			names = append(names, name)
		}
		return of[name]
	}
	for _, l := range a.Lanes {
		if l.Run.Pictures > 0 {
			w := row(l.Lane)
			w.WaitMedian, w.WaitP95, w.RunMedian, w.RunP95 = l.Wait.Median, l.Wait.P95, l.Run.Median, l.Run.P95
		}
	}
	for lane, oldest := range a.Oldest() {
		w := row(lane)
		w.Waits, w.Oldest = true, oldest
	}
	if len(names) == 0 {
		return ""
	}
	rows := make([]chart.Wait, len(names))
	for i, name := range slices.Sorted(slices.Values(names)) {
		rows[i] = *of[name]
	}
	return chart.Waits("waits", rows, span).HTML()
}
