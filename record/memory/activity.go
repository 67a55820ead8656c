package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// An attempt is one of a job.
type attempt struct {
	job.Attempt

	JobID string
}

// lately returns the attempts that pass a test and ended at a time or later, the
// latest first and limit at most, and from when on these are all.
func (r *Record) lately(since time.Time, limit int, test func(job.Attempt) bool) ([]attempt, time.Time) {
	var all []attempt
	for id, e := range r.jobs {
		for _, i := range e.Images {
			for _, a := range i.Attempts {
				if !a.EndedAt.Before(since) && test(a) {
					all = append(all, attempt{a, id})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b attempt) int {
		return cmp.Or(b.EndedAt.Compare(a.EndedAt), cmp.Compare(a.JobID, b.JobID), cmp.Compare(a.Index, b.Index), cmp.Compare(b.Number, a.Number))
	})
	if len(all) >= limit {
		all = all[:limit]
		since = all[limit-1].EndedAt
	}
	return all, since
}

func anyAttempt(job.Attempt) bool { return true }

// Activity implements record.Board.
func (r *Record) Activity(ctx context.Context) (a record.Activity, err error) {
	err = r.view(ctx, func(now time.Time) error {
		attempts, since := r.lately(now.Add(-record.ActivitySince), record.MaxAttempts, anyAttempt)
		a = record.Activity{At: now, Waits: r.waits(), Lanes: laneActivities(attempts), Paces: paces(attempts), Since: since}
		return nil
	})
	return a, err
}

// waits returns what waits, by lane, model and priority.
func (r *Record) waits() []record.Wait {
	groups := make(map[record.Wait][]place)
	for _, p := range r.places(func(p place) bool { return p.image.queued() && p.image.Image.HeldBy == "" }) {
		name := record.Wait{Lane: p.image.Task.Lane, Model: p.image.Model, Priority: p.entry.Job.Priority}
		groups[name] = append(groups[name], p)
	}
	var all []record.Wait
	for w, places := range groups {
		slices.SortFunc(places, place.compare)
		w.More = len(places) > record.MaxHeads
		places = places[:min(len(places), record.MaxHeads)]
		w.Images = len(places)
		for _, p := range places {
			w.Oldest = earliest(w.Oldest, p.entry.Job.CreatedAt)
		}
		all = append(all, w)
	}
	slices.SortFunc(all, func(v, w record.Wait) int {
		return cmp.Or(cmp.Compare(v.Lane, w.Lane), cmp.Compare(v.Model, w.Model), cmp.Compare(rank(v.Priority), rank(w.Priority)))
	})
	return all
}

// laneActivities counts attempts by lane and outcome, and measures the latest that
// succeeded.
func laneActivities(latest []attempt) []record.LaneActivity {
	of := make(map[string]*record.LaneActivity)
	waited, ran := make(map[string][]time.Duration), make(map[string][]time.Duration)
	measured := 0
	for _, a := range latest {
		if of[a.Lane] == nil {
			of[a.Lane] = &record.LaneActivity{Lane: a.Lane, Outcomes: make(map[job.Outcome]int)}
		}
		of[a.Lane].Outcomes[a.Outcome]++
		if a.Outcome == job.OutcomeSucceeded && measured < record.MaxPaces {
			measured++
			waited[a.Lane] = append(waited[a.Lane], a.Waited)
			ran[a.Lane] = append(ran[a.Lane], a.Ran())
		}
	}
	var all []record.LaneActivity
	for _, name := range slices.Sorted(maps.Keys(of)) {
		of[name].Wait, of[name].Run = record.NewRuns(waited[name]), record.NewRuns(ran[name])
		all = append(all, *of[name])
	}
	return all
}

// paces measures attempts that succeeded, by when they ended.
func paces(attempts []attempt) []record.Pace {
	waited, ran := make(map[time.Time][]time.Duration), make(map[time.Time][]time.Duration)
	for _, a := range attempts {
		if a.Outcome == job.OutcomeSucceeded {
			at := a.EndedAt.Truncate(record.PaceStretch)
			waited[at], ran[at] = append(waited[at], a.Waited), append(ran[at], a.Ran())
		}
	}
	var all []record.Pace
	for _, at := range slices.SortedFunc(maps.Keys(waited), time.Time.Compare) {
		all = append(all, record.Pace{At: at, Wait: record.NewRuns(waited[at]), Run: record.NewRuns(ran[at])})
	}
	return all
}

// Slots implements record.Board.
func (r *Record) Slots(ctx context.Context, lane string, since time.Time) (s record.Slots, err error) {
	since = record.KeptTime(since)
	err = r.view(ctx, func(time.Time) error {
		attempts, from := r.lately(since, record.MaxAttempts, anyAttempt)
		s.Since = from
		of := make(map[string]map[time.Time]*record.Minute)
		for _, a := range attempts {
			at := a.StartedAt.Truncate(time.Minute)
			if a.StartedAt.Before(since) || lane != "" && a.Lane != lane {
				continue
			}
			if of[a.Lane] == nil {
				of[a.Lane] = make(map[time.Time]*record.Minute)
			}
			if of[a.Lane][at] == nil {
				of[a.Lane][at] = &record.Minute{At: at}
			}
			of[a.Lane][at].Add(a.Outcome, 1)
		}
		for _, name := range slices.Sorted(maps.Keys(of)) {
			l := record.LaneSlots{Lane: name}
			for _, at := range slices.SortedFunc(maps.Keys(of[name]), time.Time.Compare) {
				l.Minutes = append(l.Minutes, *of[name][at])
			}
			s.Lanes = append(s.Lanes, l)
		}
		return nil
	})
	return s, err
}
