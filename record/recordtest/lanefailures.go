package recordtest

import (
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var laneFailureTests = []contractTest{
	{"groups attempts of a lane whose words differ in digits at most", laneFailuresAlike},
	{"tells the latest attempts of a group, and since when there are any", laneFailuresLatest},
	{"shows the groups that failed last, and no other lane", laneFailuresLimit},
	{"leaves out what is no failure, and what was before", laneFailuresOthers},
}

func (f *fixture) laneFailures(on string, since time.Time, limit int) record.LaneFailures {
	f.Helper()
	all, err := f.record.LaneFailures(f.ctx, on, since, limit)
	if err != nil {
		f.Fatalf("LaneFailures: %v", err)
	}
	return all
}

// sample returns an attempt of a job's only image as LaneFailures tells of it.
func sample(j job.Job, a job.Attempt) record.FailedAttempt {
	return record.FailedAttempt{EndedAt: a.EndedAt, Detail: a.Detail, JobID: j.ID, Index: a.Index, Number: a.Number}
}

func laneFailuresAlike(f *fixture) {
	since := inHour()
	f.failWith(tenant, "Retry in 35s, ä")
	c := f.claim(f.create(1)[0], never)
	c.Report.Detail = "Retry in 12s, ä"
	j, _ := f.requeue(c, record.Requeue{Lane: lane, After: never, GiveBack: true, Reason: &blocked})
	f.failWith(rival, "Retry in 1s, ä")
	all := f.laneFailures(lane, since, plenty)
	f.wantEqual("how far it looked", []any{len(all.Groups), all.More, all.Since}, []any{2, false, since.UTC().Truncate(time.Microsecond)})
	g := all.Groups[1]
	f.wantEqual("the group", []any{g.Outcome, g.Attempts, len(g.Latest)}, []any{job.Outcome(blocked.Code), 2, 2})
	f.wantEqual("its latest attempt", g.Latest[0], sample(j, f.attempts(j.ID)[0]))
}

func laneFailuresLatest(f *fixture) {
	first := f.failWith(tenant, "0")
	for range record.MaxFailureSamples {
		f.failWith(tenant, "1")
	}
	g := f.laneFailures(lane, inHour(), plenty).Groups[0]
	f.wantEqual("the group", []any{g.Attempts, g.First, len(g.Latest)}, []any{record.MaxFailureSamples + 1, first.EndedAt, record.MaxFailureSamples})
	for n, a := range g.Latest {
		f.wantEqual("the words of a late attempt", a.Detail, "1")
		f.wantEqual("the order", n > 0 && a.EndedAt.After(g.Latest[n-1].EndedAt), false)
	}
}

func laneFailuresLimit(f *fixture) {
	for _, detail := range []string{"b", "b", "a"} {
		f.failWith(tenant, detail)
	}
	all := f.laneFailures(lane, inHour(), 1)
	f.wantEqual("groups", []any{len(all.Groups), all.Groups[0].Latest[0].Detail, all.More}, []any{1, "a", true})
	all = f.laneFailures(lane, inHour(), 2)
	f.wantEqual("groups", []any{len(all.Groups), all.More}, []any{2, false})
	for _, other := range []string{spare, "", "\x00", "\xff"} {
		f.wantEqual("groups of another lane", len(f.laneFailures(other, inHour(), plenty).Groups), 0)
	}
}

func laneFailuresOthers(f *fixture) {
	since := inHour()
	f.endAttempts()
	seen := make(map[job.Outcome]bool)
	for _, g := range f.laneFailures(lane, since, plenty).Groups {
		seen[g.Outcome] = true
	}
	f.wantEqual("failures", seen, map[job.Outcome]bool{"quota_exhausted": true, "blocked": true})
	f.wantEqual("failures to come", len(f.laneFailures(lane, time.Now().Add(time.Hour), plenty).Groups), 0)
}
