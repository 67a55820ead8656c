// Package chart draws charts on the server, as SVG with the same numbers in a table.
// What it draws has classes and presentation attributes and no style of its own, so
// that a page's stylesheet colours it for light and dark. Kinds differ by pattern as
// well as by colour.
//
// Across, places are shares of the width, so that a chart is as wide as there is
// room, and its words stay as large as others. Down, they are pixels.
package chart

import (
	"embed"
	"html/template"
	"strconv"
	"strings"
)

//go:embed chart.html
var files embed.FS

var drawing = template.Must(template.New("chart.html").Funcs(template.FuncMap{"place": place}).ParseFS(files, "chart.html"))

// A Kind names what a bar stands for. It is a class in the stylesheet.
type Kind string

const (
	Good    Kind = "good"    // solid
	Limited Kind = "limited" // stripes across
	Bad     Kind = "bad"     // slanted stripes
	Idle    Kind = "idle"    // a thin line
	Plain   Kind = "plain"   // solid, without a judgement
)

// A Drawing is a chart.
type Drawing struct {
	ID     string // of its element; one of its own on a page, of letters, digits and -
	Title  string // what it shows
	Desc   string // what there is to see
	Height int    // in pixels
	Groups []Group
	Lines  []Line
	Marks  []Mark
	Texts  []Text
	Legend []Key
	// MarkName says what marks stand for.
	MarkName string
	Table    Table
}

// A Group is bars that one hint tells of.
type Group struct {
	Hint string
	Bars []Bar
}

// A Bar is a rectangle.
type Bar struct {
	X, W float64 // percent of the width
	Y, H float64 // pixels
	Kind Kind
}

// A Line is straight.
type Line struct {
	X1, X2 float64 // percent of the width
	Y1, Y2 float64 // pixels
	Class  string
}

// A Mark is a small diamond.
type Mark struct {
	X    float64 // percent of the width
	Y    float64 // pixels
	Hint string
}

// A Text is a word in the chart.
type Text struct {
	X      float64 // percent of the width
	Y      float64 // pixels, of its baseline
	Anchor string  // start, middle or end
	Text   string
}

// A Key says what a kind stands for.
type Key struct {
	Kind Kind
	Name string
}

// A Table is the numbers of a chart.
type Table struct {
	Head []string   // the first is of the rows' names
	Rows [][]string // the first of each is its name
}

// HTML returns the chart as a figure. It panics if that cannot be written, but no
// test would pass then.
func (d Drawing) HTML() template.HTML {
	var out strings.Builder
	if err := drawing.Execute(&out, d); err != nil {
		panic(err)
	}
	return template.HTML(out.String()) //nolint:gosec // html/template wrote it
}

// Patterns returns the kinds of the chart that have a pattern, each once.
func (d Drawing) Patterns() []Kind {
	var all []Kind
	for _, kind := range []Kind{Limited, Bad} {
		if d.has(kind) {
			all = append(all, kind)
		}
	}
	return all
}

func (d Drawing) has(kind Kind) bool {
	for _, g := range d.Groups {
		for _, b := range g.Bars {
			if b.Kind == kind {
				return true
			}
		}
	}
	for _, k := range d.Legend {
		if k.Kind == kind {
			return true
		}
	}
	return false
}

// Fill returns what a kind is filled with if that is a pattern, and nothing if the
// stylesheet says it.
func (d Drawing) Fill(kind Kind) string {
	if kind == Limited || kind == Bad {
		return "url(#" + d.ID + "-" + string(kind) + ")"
	}
	return ""
}

// place writes a place with two digits at most.
func place(v float64) string {
	text := strconv.FormatFloat(v, 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// share returns part/whole as percent.
func share(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return 100 * part / whole
}
