package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

// Record is the part of the record that says how the work is going.
type Record interface {
	record.Reporter
	LaneStates(context.Context) ([]record.LaneState, error)
	Budgets(context.Context) ([]record.BudgetState, error)
}

const (
	// window is how far back the check looks at the outcomes.
	window = time.Hour
	// unsentFor is how long it may take until a task is on its queue.
	unsentFor = time.Minute
	// stillAfter is how long images may wait while no picture is drawn. After
	// that they are stuck: a lane of one request a minute starts three in that
	// time.
	stillAfter = 3 * time.Minute
	// deadAfter is how long images may wait while other pictures seem to be
	// drawn. After that those are stuck, too: no picture takes so long.
	deadAfter = 10 * time.Minute
)

// Work looks at how the work is going: why lanes are closed, which models no lane
// serves, which budgets have no room, why images wait, and why images failed lately.
type Work struct {
	Lanes   []LaneSettings
	Record  Record
	Queues  Open[Queues]
	Account string // signs deliveries
	Budgets job.Budgets
}

// Check reads the record. If images wait and nothing moves, it also looks at
// the tasks on the queues.
func (w Work) Check() Check {
	return Check{
		Name: "work", Needs: []string{"DATABASE_URL", "LANES"},
		Run: func(ctx context.Context) []Finding {
			states, err := w.Record.LaneStates(ctx)
			if err != nil {
				return []Finding{skipped("see the database: the record cannot be read")}
			}
			backlog, err := w.Record.Backlog(ctx, unsentFor)
			if err != nil {
				return []Finding{skipped("see the database: the record cannot be read")}
			}
			out, err := w.Record.Outcomes(ctx, window)
			if err != nil {
				return []Finding{skipped("see the database: the record cannot be read")}
			}
			models, err := w.Record.Models(ctx)
			if err != nil {
				return []Finding{skipped("see the database: the record cannot be read")}
			}
			spent, err := w.Record.Budgets(ctx)
			if err != nil {
				return []Finding{skipped("see the database: the record cannot be read")}
			}
			findings := append(w.lanes(states), w.models(models, states)...)
			findings = append(findings, w.budgets(spent)...)
			findings = append(findings, w.checkWaiting(ctx, backlog, states).on("waiting"))
			return append(findings, outcomes(out)...)
		},
	}
}

// lanes returns which lanes are closed, and why. It has no finding about a lane
// that is open, nor about a lane that is no longer in the settings and holds no
// images.
func (w Work) lanes(states []record.LaneState) []Finding {
	var findings []Finding
	for _, s := range states {
		l, known := w.lane(s.Name)
		switch {
		case known && l.Quota.Paused && s.Waiting > 0:
			findings = append(findings, warning("The next sweep gives them to another lane, or none, within ten minutes; now: "+w.sweep(),
				"%s on a lane that is paused in the settings", waiting(s.Waiting)).on(s.Name))
		case known && l.Quota.Paused:
		case known && s.PausedByHand():
			findings = append(findings, warning("Resume it on the dashboard, at /admin/queues/lanes.",
				"the lane is paused by hand since %s, by %s: %s%s", s.ByHand.At.UTC().Format("2006-01-02 15:04 MST"),
				s.ByHand.Who, s.ByHand.Reason, onIt(s)).on(s.Name))
		case !known && s.Waiting > 0:
			findings = append(findings, warning("Run the sweep, which gives them to another lane: "+w.sweep(),
				"%s on a lane that is not in the settings any more", waiting(s.Waiting)).on(s.Name))
		case known && s.Reason != nil:
			findings = append(findings, closed(l, s).on(s.Name))
		}
	}
	return findings
}

// models returns which models have images that wait for a lane, and what gives them
// one.
func (w Work) models(states []record.ModelState, lanes []record.LaneState) []Finding {
	settings := make([]lane.Lane, len(w.Lanes))
	for i, l := range w.Lanes {
		settings[i] = l.Quota
	}
	loads := make(map[string]lane.Load, len(lanes))
	for _, s := range lanes {
		loads[s.Name] = lane.Load{Paused: s.PausedByHand()}
	}
	quotas := lane.WithPauses(settings, loads)
	var findings []Finding
	for _, m := range states {
		switch served := lane.ModelFor(quotas, m.Model) != ""; {
		case served && m.Parked:
			findings = append(findings, warning("The next sweep gives them tasks, within ten minutes; now: "+w.sweep(),
				"%s, some of them still without a task: a lane serves the model again", waiting(m.Waiting)).on(m.Model))
		case !served:
			u := lane.ExplainUnserved(settings, quotas, m.Model)
			findings = append(findings, failed(u.Mend, "%s, and %s", waiting(m.Waiting), u.Why).on(m.Model))
		}
	}
	return findings
}

func (w Work) lane(name string) (LaneSettings, bool) {
	for _, l := range w.Lanes {
		if l.Quota.Name == name {
			return l, true
		}
	}
	return LaneSettings{}, false
}

// closed returns a finding about a lane that was paused and that no request has
// shown to be in order since.
func closed(l LaneSettings, s record.LaneState) Finding {
	kind, how := "paused", warning
	if s.Broken {
		kind, how = "broken", failed
	}
	since := s.Since.UTC().Format("2006-01-02 15:04 MST")
	waits := onIt(s)
	reason := strings.TrimSuffix(s.Reason.Error(), ".")
	if time.Now().After(s.Until) {
		return warning("The next delivery finds out whether it is mended. "+mendLane(l, s),
			"the lane is on probation: it was %s since %s: %s%s", kind, since, reason, waits)
	}
	return how(mendLane(l, s), "the lane is %s since %s, until %s: %s%s",
		kind, since, s.Until.UTC().Format("15:04 MST"), reason, waits)
}

// onIt returns that images wait on a lane, if any do, to be added to a sentence.
func onIt(s record.LaneState) string {
	if s.Waiting <= 0 {
		return ""
	}
	return "; " + waiting(s.Waiting) + " on it"
}

// mendLane returns what to do so that a lane opens.
func mendLane(l LaneSettings, s record.LaneState) string {
	return lane.MendPause(s.Broken, s.Reason.Code, l.setting("GEMINI_RPM", "rpm"))
}

// sweep returns the command that runs the sweep now.
func (w Work) sweep() string {
	project, location := "PROJECT", "REGION"
	if len(w.Lanes) > 0 {
		project, location = place(w.Lanes[0].Quota.Queue)
	}
	return fmt.Sprintf("gcloud scheduler jobs run ai-worker-sweep --project=%s --location=%s", project, location)
}

// waiting returns that n images wait, in words.
func waiting(n int) string {
	if n == 1 {
		return "1 image waits"
	}
	return fmt.Sprintf("%d images wait", n)
}

// ago formats a duration as people say it.
func ago(d time.Duration) string {
	if d < 90*time.Second {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	if d < 2*time.Hour {
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return strings.TrimSuffix(d.Round(time.Hour).String(), "0m0s")
}
