package chart

import (
	"fmt"
	"strconv"
	"time"
)

// Minutes is how many minutes a strip has.
const Minutes = 60

// A Minute is what became of the requests that were begun in one minute.
type Minute struct {
	At                            time.Time
	Drawn, Limited, Failed, Other int
}

func (m Minute) all() int { return m.Drawn + m.Limited + m.Failed + m.Other }

const (
	stripHeight = 58 // pixels, with the words below
	stripBars   = 42 // pixels, of the highest bar
)

// Strip draws an hour of a lane, which ends before until: a bar for each minute.
// The line is what may be asked in a minute, if that is above 0.
func Strip(id, lane string, until time.Time, minutes []Minute, rpm int) Drawing {
	from := until.Truncate(time.Minute).Add(-Minutes * time.Minute)
	all := make([]Minute, Minutes)
	for i := range all {
		all[i].At = from.Add(time.Duration(i) * time.Minute)
	}
	for _, m := range minutes {
		if i := int(m.At.Sub(from) / time.Minute); !m.At.Before(from) && i < Minutes {
			all[i] = m
		}
	}
	d := Drawing{
		ID: id, Title: "The last hour of lane " + lane, Height: stripHeight,
		Legend: []Key{{Good, "drawn"}, {Limited, "429"}, {Bad, "failed"}, {Plain, "given back or canceled"}, {Idle, "idle"}},
		Table:  Table{Head: []string{"Minute (UTC)", "Drawn", "429", "Failed", "Given back or canceled"}},
	}
	top := rpm
	for _, m := range all {
		top = max(top, m.all())
	}
	var sum Minute
	for i, m := range all {
		d.Groups = append(d.Groups, column(i, m, top))
		sum.Drawn, sum.Limited, sum.Failed, sum.Other = sum.Drawn+m.Drawn, sum.Limited+m.Limited, sum.Failed+m.Failed, sum.Other+m.Other
		if m.all() > 0 {
			d.Table.Rows = append(d.Table.Rows, []string{clock(m.At), strconv.Itoa(m.Drawn), strconv.Itoa(m.Limited), strconv.Itoa(m.Failed), strconv.Itoa(m.Other)})
		}
	}
	d.Table.Rows = append(d.Table.Rows, []string{"Together", strconv.Itoa(sum.Drawn), strconv.Itoa(sum.Limited), strconv.Itoa(sum.Failed), strconv.Itoa(sum.Other)})
	d.Desc = fmt.Sprintf("From %s to %s UTC: %d drawn, %d refused with 429, %d failed, %d given back or canceled.",
		clock(from), clock(from.Add(Minutes*time.Minute)), sum.Drawn, sum.Limited, sum.Failed, sum.Other)
	if rpm > 0 {
		y := stripBars - float64(rpm)*stripBars/float64(top) + 1
		d.Lines = append(d.Lines, Line{X2: 100, Y1: y, Y2: y, Class: "quota"})
		d.Desc += fmt.Sprintf(" %d a minute may be asked.", rpm)
	}
	d.Texts = hours(from, Minutes*time.Minute, stripHeight-3)
	return d
}

// column returns the bars of a minute, the drawn ones lowest.
func column(i int, m Minute, top int) Group {
	const width = 100.0 / Minutes
	bar := Bar{X: float64(i)*width + 0.1*width, W: 0.8 * width, Y: stripBars}
	if m.all() == 0 {
		bar.Y, bar.H, bar.Kind = stripBars-2, 2, Idle
		return Group{Hint: clock(m.At) + ": idle", Bars: []Bar{bar}}
	}
	g := Group{Hint: fmt.Sprintf("%s: %d drawn, %d refused with 429, %d failed, %d given back or canceled", clock(m.At), m.Drawn, m.Limited, m.Failed, m.Other)}
	for _, part := range []struct {
		n    int
		kind Kind
	}{{m.Drawn, Good}, {m.Limited, Limited}, {m.Failed, Bad}, {m.Other, Plain}} {
		if part.n > 0 {
			bar.H, bar.Kind = float64(part.n)*(stripBars-2)/float64(top), part.kind
			bar.Y -= bar.H
			g.Bars = append(g.Bars, bar)
		}
	}
	return g
}

// hours returns the words below a stretch of time: its begin, middle and end.
func hours(from time.Time, length time.Duration, y float64) []Text {
	return []Text{
		{X: 0, Y: y, Anchor: "start", Text: clock(from)},
		{X: 50, Y: y, Anchor: "middle", Text: clock(from.Add(length / 2))},
		{X: 100, Y: y, Anchor: "end", Text: clock(from.Add(length)) + " UTC"},
	}
}

func clock(t time.Time) string { return t.UTC().Format("15:04") }
