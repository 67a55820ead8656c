package chart

import (
	"fmt"
	"strconv"
	"time"
)

// A Pace is how long the pictures waited and took that were drawn in one stretch of
// time.
type Pace struct {
	At                  time.Time // when the stretch begins
	Pictures            int
	WaitMedian, WaitP95 time.Duration
	RunMedian, RunP95   time.Duration
}

const (
	pacesTop    = 14  // pixels above the plot
	pacesPlot   = 126 // pixels
	pacesHeight = pacesTop + pacesPlot + 18
	pacesLeft   = 10.0 // percent of the width, for the words of the axis
)

// Paces draws an hour until a time, in stretches of a length: of each the bar from the
// median to the 95th percentile, of waits and of runs, and at the end a mark for the
// oldest that waits now, unless that is 0. The axis is that of Waits.
func Paces(id string, until time.Time, stretch time.Duration, paces []Pace, oldest time.Duration, say func(time.Duration) string) Drawing {
	d := Drawing{
		ID: id, Title: "How long pictures waited and took in the last hour", Height: pacesHeight,
		Legend:   []Key{{Plain, "waited, median to 95 %"}, {Good, "took, median to 95 %"}},
		MarkName: "the oldest that waits now",
		Table:    Table{Head: []string{"From (UTC)", "Pictures", "Waited, median", "Waited, 95 %", "Took, median", "Took, 95 %"}},
	}
	last := until.Truncate(stretch)
	from := last.Add(stretch - time.Hour)
	waits := []Wait{{Oldest: oldest}}
	for _, p := range paces {
		waits = append(waits, Wait{WaitP95: p.WaitP95, RunP95: p.RunP95})
	}
	end := axisEnd(waits)
	height := func(of time.Duration) float64 { return pacesTop + pacesPlot*(1-along(of, end)/100) }
	for _, t := range ticks {
		if y := height(t.at); t.at <= end {
			d.Lines = append(d.Lines, Line{X2: 100, Y1: y, Y2: y, Class: "grid"})
			d.Texts = append(d.Texts, Text{Y: y - 3, Anchor: "start", Text: t.name})
		}
	}
	across := func(of time.Duration) float64 { return (100 - pacesLeft) * float64(of) / float64(time.Hour) }
	width := across(stretch)
	for _, p := range paces {
		if p.At.Before(from) || p.At.After(last) {
			continue
		}
		x := pacesLeft + across(p.At.Sub(from))
		d.Groups = append(d.Groups, Group{
			Hint: fmt.Sprintf("%s: %d pictures, waited %s, 95 %% within %s; took %s, 95 %% within %s",
				clock(p.At), p.Pictures, say(p.WaitMedian), say(p.WaitP95), say(p.RunMedian), say(p.RunP95)),
			Bars: []Bar{
				upright(x+0.14*width, 0.34*width, height(p.WaitMedian), height(p.WaitP95), Plain),
				upright(x+0.52*width, 0.34*width, height(p.RunMedian), height(p.RunP95), Good),
			},
		})
		d.Table.Rows = append(d.Table.Rows, []string{clock(p.At), strconv.Itoa(p.Pictures), say(p.WaitMedian), say(p.WaitP95), say(p.RunMedian), say(p.RunP95)})
	}
	d.Desc = "One axis from 1 s to " + say(end) + ", with equal steps for equal factors."
	if oldest > 0 {
		hint := "The oldest has waited " + say(oldest) + "."
		d.Marks = []Mark{{X: 99, Y: height(oldest), Hint: hint}}
		d.Desc += " " + hint
	}
	for _, t := range hours(from, time.Hour, pacesHeight-3) {
		t.X = pacesLeft + (100-pacesLeft)*t.X/100
		d.Texts = append(d.Texts, t)
	}
	return d
}

// upright returns a bar between two heights, of two pixels at least.
func upright(x, w, low, high float64, kind Kind) Bar {
	return Bar{X: x, W: w, Y: min(high, low-2), H: max(2, low-high), Kind: kind}
}
