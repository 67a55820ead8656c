package dashboard

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/dashboard/chart"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
)

const (
	// refusalSpan is how far back the history of a lane goes.
	refusalSpan = 24 * time.Hour
	// refusalGroups is of how many groups of failures causes are told.
	refusalGroups = 100
	// refusalsShown is how many refusals of each cause are shown.
	refusalsShown = 5
)

// A Refusal is what the words of an attempt tell that the provider refused for want
// of quota or of room.
type Refusal struct {
	Cause   string       // which limit it was, for people
	Failure *job.Failure // as the attempt had it; nil if the words do not tell which
	Said    bool         // the provider named the time of Failure.RetryAfter
}

// A refusedHours is how often each lane was refused with job.CodeQuotaExhausted, by the
// hour.
type refusedHours struct {
	until time.Time // when the last hour ends
	lanes map[string][]int
}

// refusedByHour returns how often lanes were refused in the hour of a time and the 23
// before.
func (d *Dashboard) refusedByHour(ctx context.Context, now time.Time) (refusedHours, error) {
	until := now.UTC().Truncate(time.Hour).Add(time.Hour)
	return d.refused.get(ctx, until.String(), func(ctx context.Context) (refusedHours, error) {
		const hours = int(refusalSpan / time.Hour)
		sums, err := d.options.Record.Spend(ctx, record.SpendQuery{From: until.Add(-refusalSpan), To: until, Lane: true, Outcome: true, Limit: mostSums})
		if err != nil {
			return refusedHours{}, errAway(err)
		}
		all := refusedHours{until, make(map[string][]int)}
		for _, s := range sums {
			if s.Outcome != job.Outcome(job.CodeQuotaExhausted) {
				continue
			}
			if all.lanes[s.Lane] == nil {
				all.lanes[s.Lane] = make([]int, hours)
			}
			all.lanes[s.Lane][hours-1-int(until.Add(-time.Hour).Sub(s.At)/time.Hour)] += int(s.Attempts)
		}
		return all, nil
	})
}

// A refusedView is how often a lane was refused in a day.
type refusedView struct {
	Sum   int
	Hours template.HTML // a chart; empty if it never was
}

func (h refusedHours) view(n int, name string) refusedView {
	var v refusedView
	for _, times := range h.lanes[name] {
		v.Sum += times
	}
	if v.Sum > 0 {
		v.Hours = chart.Spark(fmt.Sprint("refused-", n), "429 of "+name+" by the hour", h.until, h.lanes[name]).HTML()
	}
	return v
}

// A historyView is the page of one lane.
type historyView struct {
	Lane    laneView
	Refused refusedView
	Causes  []causeView // the latest first
	More    bool        // there were more kinds of failures than were looked at
	Since   *moment     // from when on causes are complete, if that is not a day ago
}

// A causeView is the refusals of a lane by one limit.
type causeView struct {
	Cause       string
	Refusals    int
	First, Last *moment
	Resets      *moment // of the latest; nil if nothing closes for it, or that is not known
	Said        bool    // the provider named that time
	Done        string  // what is done about it
	Latest      []refusalView
}

// A refusalView is one refusal.
type refusalView struct {
	At     *moment
	Resets *moment // as in causeView, and so is this
	Said   bool    //
	Words  string
	JobID  string
}

// lanePage shows a lane, and what it was refused for within a day.
func (d *Dashboard) lanePage(v *visit) error {
	l, err := d.laneOf(v)
	if err != nil {
		return err
	}
	ctx := v.r.Context()
	o, err := d.overview(ctx)
	if err != nil {
		return err
	}
	hours, err := d.refusedByHour(ctx, o.At)
	if err != nil {
		return err
	}
	failed, err := d.failures.get(ctx, l.Name, func(ctx context.Context) (record.LaneFailures, error) {
		return orAway(d.options.Record.LaneFailures(ctx, l.Name, time.Now().Add(-refusalSpan), refusalGroups))
	})
	if err != nil {
		return err
	}
	view := historyView{Refused: hours.view(0, l.Name), Causes: d.causes(l, failed), More: failed.More}
	for _, known := range d.viewLanes(o, v.who.Role).Lanes {
		if known.Name == l.Name {
			view.Lane = known
		}
	}
	view.Since = incomplete(failed.Since, failed.At.Add(-refusalSpan), failed.At)
	d.write(v, http.StatusOK, page{name: "lane", Title: "Lane " + l.Name, Read: true, Main: view})
	return nil
}

// causes returns the refusals among a lane's failures, by cause.
func (d *Dashboard) causes(l lane.Lane, failed record.LaneFailures) []causeView {
	var all []causeView
	for _, g := range failed.Groups {
		for n, a := range g.Latest {
			r, refused := d.options.Refusal(g.Outcome, a.Detail, a.EndedAt)
			if !refused {
				break // none of the group is: its words are the same but for digits
			}
			i := slices.IndexFunc(all, func(c causeView) bool { return c.Cause == r.Cause })
			if i < 0 {
				i, all = len(all), append(all, causeView{Cause: r.Cause, Done: doneAbout(l, r)})
			}
			if n == 0 {
				all[i].add(g, failed.At)
			}
			all[i].Latest = append(all[i].Latest, viewRefusal(a, r, failed.At))
		}
	}
	for i := range all {
		latest := all[i].Latest
		slices.SortStableFunc(latest, func(a, b refusalView) int { return b.At.At.Compare(a.At.At) })
		all[i].Latest = latest[:min(len(latest), refusalsShown)]
		all[i].Last, all[i].Resets, all[i].Said = latest[0].At, latest[0].Resets, latest[0].Said
	}
	slices.SortStableFunc(all, func(a, b causeView) int { return b.Last.At.Compare(a.Last.At) })
	return all
}

// add counts a group of failures.
func (c *causeView) add(g record.LaneFailure, now time.Time) {
	c.Refusals += g.Attempts
	if c.First == nil || g.First.Before(c.First.At) {
		c.First = at(g.First, now)
	}
}

func viewRefusal(a record.FailedAttempt, r Refusal, now time.Time) refusalView {
	v := refusalView{At: at(a.EndedAt, now), Said: r.Said, Words: a.Detail, JobID: a.JobID}
	if r.Failure != nil {
		if after := cmp.Or(lane.ClosedFor(r.Failure), r.Failure.RetryAfter); after > 0 {
			v.Resets = at(a.EndedAt.Add(after), now)
		}
	}
	return v
}

// doneAbout returns what the worker does about a refusal.
func doneAbout(l lane.Lane, r Refusal) string {
	switch f := r.Failure; {
	case f == nil:
		return "The lane was closed for as long as the limit lasts."
	case f.Remedy == job.RemedyStop:
		return "Closes the lane as broken. A request each 5 minutes finds out whether it is mended."
	case f.Remedy == job.RemedyWait && f.Limit == job.LimitSpend && l.Account != "":
		return "Closes all lanes of the account " + l.Account + " until then. Pictures go to other lanes, or wait, and spend no attempt."
	case lane.ClosedFor(f) > 0:
		return "Closes the lane until then. Pictures go to other lanes, or wait, and spend no attempt."
	case f.Remedy == job.RemedyWait:
		return "The lane stays open. The picture goes to another lane, or tries again after a while, and spends no attempt."
	default:
		return "The picture tries again after a while. After five such failures in a row the lane is closed for 30 s, then for up to 5 min."
	}
}
