package dashboard

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/dashboard/chart"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// What a stretch of a timeline is, besides the kinds that charts have.
const (
	kindWait  chart.Kind = "wait"  // queued
	kindSlot  chart.Kind = "slot"  // claimed, and not asked yet
	kindStore chart.Kind = "store" // answered, and not recorded yet
	kindNow   chart.Kind = "now"   // goes on
)

// A phase is a stretch of a timeline.
type phase struct {
	from, to time.Time
	kind     chart.Kind
	what     string
}

// An attemptView is an attempt at a picture.
type attemptView struct {
	Number  int
	Lane    string
	Model   string
	Began   moment
	Outcome state
	Finish  string
	Detail  string
	Tokens  string
	Cost    string
	Counted bool
}

// attemptsAt returns the attempts at an image that have ended.
func attemptsAt(in record.Inspection, index int) []job.Attempt {
	return slices.DeleteFunc(slices.Clone(in.Attempts), func(a job.Attempt) bool { return a.Index != index })
}

// removedOf says which attempts at an image are no longer kept: those that ended
// longer than record.AttemptsKept ago. It returns nothing if all are there. The first
// attempt at an image has the number 1.
func removedOf(in record.Inspection, index int) string {
	img, kept := in.Job.Images[index], attemptsAt(in, index)
	switch {
	case !img.Status.Terminal() || img.StartedAt.IsZero():
		return ""
	case len(kept) == 0:
		return "Its attempts are no longer kept"
	case kept[0].Number > 1:
		return "Its earlier attempts are no longer kept"
	}
	return ""
}

// phasesOf returns the phases of an attempt. The worker's clock and the record's
// differ, so that none of them leaves the attempt.
func phasesOf(a job.Attempt, waited string) []phase {
	within := func(t, from time.Time) time.Time {
		switch {
		case t.IsZero() || t.After(a.EndedAt):
			return a.EndedAt
		case t.Before(from):
			return from
		}
		return t
	}
	asked := within(a.AskedAt, a.StartedAt)
	answered := within(a.AnsweredAt, asked)
	phases := []phase{
		{a.StartedAt.Add(-a.Waited), a.StartedAt, kindWait, "waited for " + waited},
		{a.StartedAt, asked, kindSlot, "waited for its slot"},
	}
	if a.Asked() {
		phases = append(phases, phase{asked, answered, kindOf(a.Outcome), "asked the provider: " + string(a.Outcome)})
	}
	if !a.AnsweredAt.IsZero() {
		phases = append(phases, phase{answered, a.EndedAt, kindStore, "stored and recorded"})
	}
	return phases
}

// kindOf returns how a request is drawn.
func kindOf(o job.Outcome) chart.Kind {
	switch o {
	case job.OutcomeSucceeded:
		return chart.Good
	case job.OutcomeCanceled, job.OutcomeGivenBack:
		return chart.Plain
	case job.Outcome(job.CodeQuotaExhausted):
		return chart.Limited
	default:
		return chart.Bad
	}
}

// waitedAfter returns what the attempt after one was waited for.
func waitedAfter(o job.Outcome) string {
	switch o {
	case "", job.OutcomeGivenBack, job.OutcomeLost:
		return "its turn"
	case job.Outcome(job.CodeQuotaExhausted):
		return "quota"
	case job.Outcome(job.CodeLaneUnavailable):
		return "a lane"
	default:
		return "its time to try again"
	}
}

// lifeOf returns all phases of an image, and the attempt that each belongs to. What
// goes on is the last.
func lifeOf(in record.Inspection, index int) (phases []phase, of []int) {
	img := in.Job.Images[index]
	last, outcome, n := in.Job.CreatedAt, job.Outcome(""), 0
	for _, a := range attemptsAt(in, index) {
		for _, p := range phasesOf(a, waitedAfter(outcome)) {
			phases, of = append(phases, p), append(of, a.Number)
		}
		last, outcome, n = a.EndedAt, a.Outcome, a.Number
	}
	switch {
	case img.Status == job.StatusQueued:
		return append(phases, phase{last, in.At, kindWait, "waits for " + waitedAfter(outcome)}), append(of, n+1)
	case img.Status == job.StatusProcessing:
		phases = append(phases, phase{last, img.StartedAt, kindWait, "waited for " + waitedAfter(outcome)}, phase{img.StartedAt, in.At, kindNow, "is being drawn"})
		return phases, append(of, n+1, n+1)
	case img.CompletedAt.After(last) && outcome != job.OutcomeSucceeded:
		return append(phases, phase{last, img.CompletedAt, kindWait, "waited until it ended"}), append(of, n+1)
	}
	return phases, of
}

const (
	timelineHeight = 42 // pixels, with the words below
	timelineBar    = 20 // pixels
	leastWidth     = 0.4
)

// timeline draws the life of an image to scale: of its job, from when that was
// recorded until it ended or until now.
func timeline(in record.Inspection, index int) template.HTML {
	from, to := in.Job.CreatedAt, endOr(in.Job.CompletedAt, in.At)
	if !to.After(from) {
		to = from.Add(time.Millisecond)
	}
	place := func(t time.Time) float64 { return min(100, max(0, 100*float64(t.Sub(from))/float64(to.Sub(from)))) }
	d := chart.Drawing{
		ID: "timeline-" + number(index), Title: "Picture " + number(index) + " from when it was asked for", Height: timelineHeight,
		Table: chart.Table{Head: []string{"Attempt and what", "From", "Until", "Took"}},
	}
	var desc []string
	phases, of := lifeOf(in, index)
	for n, p := range phases {
		length := p.to.Sub(p.from)
		if length <= 0 {
			continue
		}
		x := place(p.from)
		bar := chart.Bar{X: x, W: max(leastWidth, place(p.to)-x), Y: 2, H: timelineBar, Kind: p.kind}
		if p.kind == kindWait {
			bar.Y, bar.H = 2+timelineBar/2-3, 6
		}
		bar.X = min(bar.X, 100-bar.W)
		hint := "attempt " + number(of[n]) + ": " + p.what + ", " + took(length)
		d.Groups = append(d.Groups, chart.Group{Hint: hint, Bars: []chart.Bar{bar}})
		d.Table.Rows = append(d.Table.Rows, []string{number(of[n]) + " " + p.what, stopwatch(p.from.Sub(from)), stopwatch(p.to.Sub(from)), stopwatch(length)})
		desc = append(desc, hint)
	}
	for _, a := range attemptsAt(in, index) {
		if !a.SlotAt.IsZero() && a.Asked() {
			d.Table.Rows = append(d.Table.Rows, []string{number(a.Number) + " slot", stopwatch(a.SlotAt.Sub(from)), "", ""})
		}
	}
	d.Desc = sentenceOf(desc)
	d.Texts = []chart.Text{
		{X: 0, Y: timelineHeight - 4, Anchor: "start", Text: "asked for"},
		{X: 100, Y: timelineHeight - 4, Anchor: "end", Text: endOf(in.Job) + " after " + took(to.Sub(from))},
	}
	d.Legend = legendOf(phases)
	return d.HTML()
}

// sentenceOf returns parts as a sentence.
func sentenceOf(parts []string) string {
	if len(parts) == 0 {
		return "Nothing has happened yet."
	}
	return sentence(strings.Join(parts, "; "))
}

func endOf(j job.Job) string {
	if j.Status.Terminal() {
		return "ended"
	}
	return "now"
}

// legendOf returns what the kinds stand for that there are.
func legendOf(phases []phase) (legend []chart.Key) {
	for _, k := range []chart.Key{
		{Kind: kindWait, Name: "waited"}, {Kind: kindSlot, Name: "slot"}, {Kind: chart.Good, Name: "request"}, {Kind: chart.Limited, Name: "429"},
		{Kind: chart.Bad, Name: "failed"}, {Kind: chart.Plain, Name: "given back or canceled"}, {Kind: kindStore, Name: "stored"}, {Kind: kindNow, Name: "goes on"},
	} {
		if slices.ContainsFunc(phases, func(p phase) bool { return p.kind == k.Kind && p.to.After(p.from) }) {
			legend = append(legend, k)
		}
	}
	return legend
}

// stopwatch returns a place in a timeline, or a part of one, as 1:02.3.
func stopwatch(d time.Duration) string {
	d = max(0, d)
	if d >= time.Hour {
		d = d.Round(time.Second)
		return fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
	}
	d = d.Round(100 * time.Millisecond)
	return fmt.Sprintf("%d:%04.1f", int(d.Minutes()), (d % time.Minute).Seconds())
}

func viewAttempts(in record.Inspection, index int) (all []attemptView) {
	for _, a := range attemptsAt(in, index) {
		v := attemptView{
			Number: a.Number, Lane: a.Lane, Model: a.Model, Began: moment{At: a.StartedAt, now: in.At}, Outcome: outcomeState(a.Outcome),
			Finish: a.FinishReason, Detail: a.Detail, Tokens: tokensOfBill(a.Bill), Cost: costOf(a.Bill), Counted: a.Counted,
		}
		all = append(all, v)
	}
	return all
}

// outcomeState returns an outcome as a state.
func outcomeState(o job.Outcome) state {
	s := map[chart.Kind]state{
		chart.Good: {Sign: "●", Kind: "good"}, chart.Plain: {Sign: "○", Kind: "off"}, chart.Limited: {Sign: "‖", Kind: "warn"}, chart.Bad: {Sign: "✕", Kind: "bad"},
	}[kindOf(o)]
	s.Word = strings.ReplaceAll(string(o), "_", " ")
	return s
}

// tokensOfBill says for which tokens an attempt was charged.
func tokensOfBill(b job.Bill) string {
	t := b.Tokens
	if t == nil {
		return ""
	}
	var parts []string
	for _, k := range []struct {
		n    int64
		name string
	}{{t.Prompt, "in"}, {t.Thought, "thought"}, {t.Text, "text"}, {t.Image, "image"}} {
		if k.n > 0 {
			parts = append(parts, number(int(k.n))+" "+k.name)
		}
	}
	return strings.Join(parts, ", ")
}

// costOf says what an attempt cost.
func costOf(b job.Bill) string {
	switch {
	case !b.Billed:
		return "not billed"
	case b.CostMicros == 0:
		return "not known"
	case b.Estimated:
		return "about " + dollars(b.CostMicros)
	}
	return dollars(b.CostMicros)
}
