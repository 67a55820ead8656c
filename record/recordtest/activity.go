package recordtest

import (
	"maps"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var activityTests = []contractTest{
	{"tells what waits by lane, model and priority", activityWaits},
	{"counts attempts by lane and outcome", activityOutcomes},
	{"measures attempts that succeeded", activityPaces},
	{"counts attempts by the minute in which they were begun", slotMinutes},
}

var (
	limited = job.Error{Code: job.CodeQuotaExhausted, Message: "The provider's quota has no room now."}
	inHour  = func() time.Time { return time.Now().Add(-time.Hour) }
)

func (f *fixture) activity() record.Activity {
	f.Helper()
	a, err := f.record.Activity(f.ctx)
	if err != nil {
		f.Fatalf("Activity: %v", err)
	}
	f.wantEqual("since when", a.Since, a.At.Add(-record.ActivitySince))
	return a
}

func activityWaits(f *fixture) {
	f.wantEqual("what waits of nothing", len(f.activity().Waits), 0)
	d, low := submission(3), lowly(1)
	d.Lanes = []string{lane, spare, ""}
	low.Input.Model, low.Lanes = other, []string{spare}
	tasks := f.submit(d)
	f.submit(low)
	later := f.create(2)
	f.claim(tasks[0], never)
	first, last := f.get(d.ID).CreatedAt, f.get(later[0].JobID).CreatedAt
	f.wantEqual("what waits", f.activity().Waits, []record.Wait{
		{Model: model, Priority: job.PriorityNormal, Images: 1, Oldest: first},
		{Lane: lane, Model: model, Priority: job.PriorityNormal, Images: 2, Oldest: last},
		{Lane: spare, Model: model, Priority: job.PriorityNormal, Images: 1, Oldest: first},
		{Lane: spare, Model: other, Priority: job.PriorityLow, Images: 1, Oldest: f.get(low.ID).CreatedAt},
	})
}

func activityOutcomes(f *fixture) {
	f.wantEqual("attempts of nothing", len(f.activity().Lanes), 0)
	f.endAttempts()
	got := f.activity().Lanes
	for i := range got {
		got[i].Wait, got[i].Run = record.Runs{}, record.Runs{}
	}
	f.wantEqual("attempts", got, []record.LaneActivity{
		{Lane: lane, Outcomes: map[job.Outcome]int{"succeeded": 1, "blocked": 1, "quota_exhausted": 2, "given_back": 1}},
		{Lane: spare, Outcomes: map[job.Outcome]int{"canceled": 1}},
	})
}

// endAttempts ends attempts in many ways, on two lanes.
func (f *fixture) endAttempts() {
	f.Helper()
	tasks := f.create(5)
	f.succeed(f.claim(tasks[0], never))
	f.fail(f.claim(tasks[1], never))
	for _, t := range tasks[2:4] {
		f.requeue(f.claim(t, never), record.Requeue{Lane: lane, GiveBack: true, After: never, Reason: &limited})
	}
	f.requeue(f.claim(tasks[4], never), record.Requeue{Lane: lane, GiveBack: true, After: never})
	d := submission(1)
	d.Lanes = []string{spare}
	c := f.claim(f.submit(d)[0], never)
	f.cancel(c.Job.ID)
}

func activityPaces(f *fixture) {
	var waited, ran []time.Duration
	waitedBy, ranBy := make(map[time.Time][]time.Duration), make(map[time.Time][]time.Duration)
	for _, t := range f.create(3) {
		c := f.claim(t, never)
		f.succeed(c)
		a := f.lastAttempt(c)
		waited, ran = append(waited, a.Waited), append(ran, a.Ran())
		at := a.EndedAt.Truncate(record.PaceStretch)
		waitedBy[at], ranBy[at] = append(waitedBy[at], a.Waited), append(ranBy[at], a.Ran())
	}
	f.fail(f.claim(f.create(1)[0], never))
	all := f.activity()
	var paces []record.Pace
	for _, at := range slices.SortedFunc(maps.Keys(waitedBy), time.Time.Compare) {
		paces = append(paces, record.Pace{At: at, Wait: record.NewRuns(waitedBy[at]), Run: record.NewRuns(ranBy[at])})
	}
	f.wantEqual("how long they waited and ran, by when they ended", all.Paces, paces)
	got := all.Lanes[0]
	f.wantEqual("how long they waited and ran", []record.Runs{got.Wait, got.Run}, []record.Runs{record.NewRuns(waited), record.NewRuns(ran)})
}

func slotMinutes(f *fixture) {
	since := inHour()
	f.endAttempts()
	f.claim(f.create(1)[0], never) // goes on
	for _, tt := range []struct {
		lane string
		want map[string]record.Minute // in all
	}{
		{"", map[string]record.Minute{lane: {Drawn: 1, Limited: 2, Failed: 1, Other: 1}, spare: {Other: 1}}},
		{spare, map[string]record.Minute{spare: {Other: 1}}},
		{"c", map[string]record.Minute{}},
	} {
		s, err := f.record.Slots(f.ctx, tt.lane, since)
		f.wantErr(err, nil)
		f.wantEqual("since when", s.Since, since.UTC().Truncate(time.Microsecond))
		got := make(map[string]record.Minute)
		for _, l := range s.Lanes {
			sum := got[l.Lane]
			for _, m := range l.Minutes { // two, if one has just ended
				if m.At != m.At.Truncate(time.Minute) || time.Since(m.At) > 2*time.Minute && time.Since(since) < time.Hour+time.Minute {
					f.Errorf("a minute begins at %v", m.At)
				}
				sum.Drawn, sum.Limited = sum.Drawn+m.Drawn, sum.Limited+m.Limited
				sum.Failed, sum.Other = sum.Failed+m.Failed, sum.Other+m.Other
			}
			got[l.Lane] = sum
		}
		f.wantEqual("minutes of the lane "+tt.lane, got, tt.want)
	}
	s, err := f.record.Slots(f.ctx, "", time.Now().Add(time.Hour))
	f.wantErr(err, nil)
	f.wantEqual("minutes to come", len(s.Lanes), 0)
}
