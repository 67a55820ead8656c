package chart_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ai-worker/ai-worker/dashboard/chart"
)

var noon = time.Date(2026, 11, 26, 12, 0, 30, 0, time.UTC)

var nearly = cmpopts.EquateApprox(0, 0.01)

// A strip stacks what became of each minute, to the scale of the quota, and marks
// minutes without anything.
func TestStrip(t *testing.T) {
	at := func(minute int) time.Time {
		return noon.Truncate(time.Minute).Add(time.Duration(minute-60) * time.Minute)
	}
	d := chart.Strip("s", "a", noon, []chart.Minute{
		{At: at(-1), Drawn: 99}, {At: at(0), Drawn: 10, Limited: 5, Failed: 4, Other: 1}, {At: at(59), Drawn: 20}, {At: at(60), Drawn: 99},
	}, 40)
	want := map[int]chart.Group{
		0: {Hint: "11:00: 10 drawn, 5 refused with 429, 4 failed, 1 given back or canceled", Bars: []chart.Bar{
			{X: 0.17, W: 1.33, Y: 32, H: 10, Kind: chart.Good}, {X: 0.17, W: 1.33, Y: 27, H: 5, Kind: chart.Limited},
			{X: 0.17, W: 1.33, Y: 23, H: 4, Kind: chart.Bad}, {X: 0.17, W: 1.33, Y: 22, H: 1, Kind: chart.Plain},
		}},
		1:  {Hint: "11:01: idle", Bars: []chart.Bar{{X: 1.83, W: 1.33, Y: 40, H: 2, Kind: chart.Idle}}},
		59: {Hint: "11:59: 20 drawn, 0 refused with 429, 0 failed, 0 given back or canceled", Bars: []chart.Bar{{X: 98.5, W: 1.33, Y: 22, H: 20, Kind: chart.Good}}},
	}
	for i, w := range want {
		if diff := cmp.Diff(w, d.Groups[i], nearly); diff != "" {
			t.Errorf("minute %d (-want +got):\n%s", i, diff)
		}
	}
	if len(d.Groups) != chart.Minutes {
		t.Errorf("%d minutes", len(d.Groups))
	}
	if diff := cmp.Diff([]chart.Line{{X2: 100, Y1: 2, Y2: 2, Class: "quota"}}, d.Lines, cmpopts.EquateApprox(0, 1)); diff != "" {
		t.Errorf("the quota (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"11:00", "10", "5", "4", "1"}, {"11:59", "20", "0", "0", "0"}, {"Together", "30", "5", "4", "1"}}, d.Table.Rows); diff != "" {
		t.Errorf("the table (-want +got):\n%s", diff)
	}
}

// A minute with more than the quota is as high as the chart, and the quota is below.
func TestStripBeyondItsQuota(t *testing.T) {
	d := chart.Strip("s", "a", noon, []chart.Minute{{At: noon.Truncate(time.Minute).Add(-time.Minute), Drawn: 80}}, 40)
	if b := d.Groups[59].Bars[0]; b.H != 40 || b.Y != 2 || d.Lines[0].Y1 != 22 {
		t.Errorf("the bar is %+v, and the quota at %v", b, d.Lines[0].Y1)
	}
}

// Bars of days are stacked to a scale that ends at a round amount.
func TestDays(t *testing.T) {
	keys := []chart.Key{{Kind: chart.Plain, Name: "pictures"}, {Kind: chart.Bad, Name: "waste"}}
	unit := func(n int64) string { return string(rune('0' + n%10)) }
	d := chart.Days("d", "Cost", []chart.Day{
		{Name: "1", Full: "1 May", Parts: []int64{30, 10}}, {Name: "2", Full: "2 May", Parts: []int64{0, 0}}, {Name: "3", Full: "3 May", Parts: []int64{0, 25}},
	}, keys, unit)
	want := []chart.Group{
		{Hint: "1 May: 0", Bars: []chart.Bar{{X: 3.33, W: 26.67, Y: 62.4, H: 69.6, Kind: chart.Plain}, {X: 3.33, W: 26.67, Y: 39.2, H: 23.2, Kind: chart.Bad}}},
		{Hint: "3 May: 5", Bars: []chart.Bar{{X: 70, W: 26.67, Y: 74, H: 58, Kind: chart.Bad}}},
	}
	if diff := cmp.Diff(want, d.Groups, nearly); diff != "" {
		t.Errorf("days (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"1 May", "0", "0", "0"}, {"2 May", "0", "0", "0"}, {"3 May", "0", "5", "5"}}, d.Table.Rows); diff != "" {
		t.Errorf("the table (-want +got):\n%s", diff)
	}
}

// A sparkline's highest bar is that of the hour with the most.
func TestSpark(t *testing.T) {
	d := chart.Spark("s", "x", noon, []int{0, 4, 1})
	want := []chart.Bar{
		{X: 3.33, W: 26.67, Y: 25, H: 1, Kind: chart.Idle}, {X: 36.67, W: 26.67, Y: 0, H: 26, Kind: chart.Plain}, {X: 70, W: 26.67, Y: 18, H: 8, Kind: chart.Plain},
	}
	for i, w := range want {
		if diff := cmp.Diff([]chart.Bar{w}, d.Groups[i].Bars, nearly); diff != "" {
			t.Errorf("hour %d (-want +got):\n%s", i, diff)
		}
	}
	if diff := cmp.Diff([][]string{{"26 Nov 10:00", "4"}, {"26 Nov 11:00", "1"}}, d.Table.Rows); diff != "" {
		t.Errorf("the table (-want +got):\n%s", diff)
	}
}

// Waits, runs and the oldest that waits have one axis, with equal steps for equal
// factors.
func TestWaits(t *testing.T) {
	d := chart.Waits("w", []chart.Wait{
		{Lane: "a", WaitMedian: 2 * time.Second, WaitP95: 8 * time.Second, RunMedian: 10 * time.Second, RunP95: 20 * time.Second, Oldest: time.Hour, Waits: true},
		{Lane: "b"},
	}, time.Duration.String)
	end := math.Log(3600)
	at := func(seconds float64) float64 { return 100 * math.Log(seconds) / end }
	if diff := cmp.Diff([]chart.Bar{{X: at(2), W: at(8) - at(2), Y: 20, H: 10, Kind: chart.Plain}}, d.Groups[0].Bars, nearly); diff != "" {
		t.Errorf("waited (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]chart.Bar{{X: at(10), W: at(20) - at(10), Y: 34, H: 10, Kind: chart.Good}}, d.Groups[1].Bars, nearly); diff != "" {
		t.Errorf("took (-want +got):\n%s", diff)
	}
	if len(d.Groups) != 2 || len(d.Marks) != 1 || d.Marks[0].X != 100 {
		t.Errorf("%d bars, marks %+v", len(d.Groups), d.Marks)
	}
	if diff := cmp.Diff([][]string{{"a", "2s", "8s", "10s", "20s", "1h0m0s"}, {"b", "–", "–", "–", "–", "–"}}, d.Table.Rows); diff != "" {
		t.Errorf("the table (-want +got):\n%s", diff)
	}
}

// A chart is well formed, has a role and a name, no style of its own, and takes no
// text as markup.
func TestHTML(t *testing.T) {
	d := chart.Strip("s-1", `<script>"a"</script>`, noon, []chart.Minute{{At: noon.Truncate(time.Minute).Add(-time.Minute), Limited: 1, Failed: 1}}, 0)
	html := string(d.HTML())
	for _, w := range []string{
		`role="img"`, `aria-labelledby="s-1-title s-1-desc"`, `<title id="s-1-title">The last hour of lane &lt;script&gt;`,
		`fill="url(#s-1-limited)"`, `<pattern id="s-1-bad"`, "<details", "<th scope=\"row\">11:59</th>",
	} {
		if !strings.Contains(html, w) {
			t.Errorf("%q is missing in\n%s", w, html)
		}
	}
	for _, w := range []string{"style=", "<style", "<script", "ZgotmplZ"} {
		if strings.Contains(html, w) {
			t.Errorf("%q is in\n%s", w, html)
		}
	}
	for decoder := xml.NewDecoder(strings.NewReader(html)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, html)
		}
	}
}

// Paces stand where their time and length are, from the median to the 95th percentile,
// and the oldest that waits is on the same axis.
func TestPaces(t *testing.T) {
	at := time.Date(2026, 11, 26, 10, 3, 0, 0, time.UTC)
	paces := []chart.Pace{
		{At: at.Add(-63 * time.Minute), Pictures: 9, WaitP95: time.Second, RunP95: time.Second}, // before the hour
		{At: at.Add(-8 * time.Minute), Pictures: 2, WaitMedian: 10 * time.Second, WaitP95: 100 * time.Second, RunMedian: time.Second, RunP95: time.Second},
	}
	d := chart.Paces("p", at, 5*time.Minute, paces, 600*time.Second, time.Duration.String)
	want := []chart.Group{{
		Hint: "09:55: 2 pictures, waited 10s, 95 % within 1m40s; took 1s, 95 % within 1s",
		Bars: []chart.Bar{{X: 86.05, W: 2.55, Y: 49.291, H: 45.355, Kind: chart.Plain}, {X: 88.9, W: 2.55, Y: 138, H: 2, Kind: chart.Good}},
	}}
	if diff := cmp.Diff(want, d.Groups, cmpopts.EquateApprox(0, 0.01)); diff != "" {
		t.Errorf("bars (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]chart.Mark{{X: 99, Y: 14, Hint: "The oldest has waited 10m0s."}}, d.Marks, cmpopts.EquateApprox(0, 0.01)); diff != "" {
		t.Errorf("marks (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"09:55", "2", "10s", "1m40s", "1s", "1s"}}, d.Table.Rows); diff != "" {
		t.Errorf("the numbers (-want +got):\n%s", diff)
	}
}
