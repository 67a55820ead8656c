package chart

import (
	"fmt"
	"math"
	"time"
)

// A Wait is how long pictures of a lane waited and ran of late, and how long the
// oldest has waited that waits now. What is not known is 0.
type Wait struct {
	Lane                string
	WaitMedian, WaitP95 time.Duration
	RunMedian, RunP95   time.Duration
	Oldest              time.Duration
	Waits               bool // something waits: Oldest counts
}

const (
	waitsRow    = 52 // pixels, of a lane
	waitsBottom = 20 // pixels, of the axis
)

// ticks are the places of the axis of Waits. The axis has equal steps for equal
// factors, so that seconds and hours are both seen.
var ticks = []struct {
	at   time.Duration
	name string
}{
	{time.Second, "1 s"}, {10 * time.Second, "10 s"}, {time.Minute, "1 min"}, {10 * time.Minute, "10 min"},
	{time.Hour, "1 h"}, {10 * time.Hour, "10 h"}, {100 * time.Hour, "4 days"}, {1000 * time.Hour, "42 days"},
}

// Waits draws of each lane the stretch from the median to the 95th percentile, of
// waits and of runs, and a mark for the oldest that waits. All have one axis. say
// writes a duration as people read it.
func Waits(id string, lanes []Wait, say func(time.Duration) string) Drawing {
	d := Drawing{
		ID: id, Title: "How long pictures wait and take", Height: len(lanes)*waitsRow + waitsBottom,
		Legend:   []Key{{Plain, "waited, median to 95 %"}, {Good, "took, median to 95 %"}},
		MarkName: "the oldest that waits",
		Table:    Table{Head: []string{"Lane", "Waited, median", "Waited, 95 %", "Took, median", "Took, 95 %", "Oldest that waits"}},
	}
	end := axisEnd(lanes)
	for _, t := range ticks {
		if t.at <= end {
			x := along(t.at, end)
			d.Lines = append(d.Lines, Line{X1: x, X2: x, Y2: float64(d.Height - waitsBottom), Class: "grid"})
			d.Texts = append(d.Texts, Text{X: x, Y: float64(d.Height - 4), Anchor: anchor(x), Text: t.name})
		}
	}
	for i, l := range lanes {
		addLane(&d, float64(i*waitsRow), l, end, say)
	}
	d.Desc = "One axis from 1 s to " + say(end) + ", with equal steps for equal factors. A diamond is the oldest picture that waits."
	return d
}

// addLane adds a lane to a drawing, from a height down.
func addLane(d *Drawing, y float64, l Wait, end time.Duration, say func(time.Duration) string) {
	d.Texts = append(d.Texts, Text{Y: y + 14, Anchor: "start", Text: l.Lane})
	row := []string{l.Lane}
	for i, r := range []struct {
		name        string
		median, p95 time.Duration
		kind        Kind
	}{{"waited", l.WaitMedian, l.WaitP95, Plain}, {"took", l.RunMedian, l.RunP95, Good}} {
		if r.p95 == 0 && l.RunP95 == 0 { // nothing was measured
			row = append(row, "–", "–")
			continue
		}
		from := along(r.median, end)
		d.Groups = append(d.Groups, Group{
			Hint: fmt.Sprintf("%s %s: median %s, 95 %% within %s", l.Lane, r.name, say(r.median), say(r.p95)),
			Bars: []Bar{{X: from, W: max(0.6, along(r.p95, end)-from), Y: y + 20 + float64(i)*14, H: 10, Kind: r.kind}},
		})
		row = append(row, say(r.median), say(r.p95))
	}
	oldest := "–"
	if l.Waits {
		oldest = say(l.Oldest)
		d.Marks = append(d.Marks, Mark{X: along(l.Oldest, end), Y: y + 25, Hint: l.Lane + ": the oldest has waited " + oldest})
	}
	d.Table.Rows = append(d.Table.Rows, append(row, oldest))
}

// axisEnd returns the first tick from a minute on that nothing is beyond.
func axisEnd(lanes []Wait) time.Duration {
	most := time.Minute
	for _, l := range lanes {
		most = max(most, l.WaitP95, l.RunP95, l.Oldest)
	}
	for _, t := range ticks {
		if most <= t.at {
			return t.at
		}
	}
	return most
}

// along returns where a duration is on the axis, in percent. What is below 1 s is at
// its begin.
func along(d, end time.Duration) float64 {
	if d <= time.Second {
		return 0
	}
	return min(100, share(math.Log(d.Seconds()), math.Log(end.Seconds())))
}

// anchor returns how a word stands to its place, so that it stays in the chart.
func anchor(x float64) string {
	switch {
	case x < 5:
		return "start"
	case x > 95:
		return "end"
	}
	return "middle"
}
