package recordtest

import (
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var spendTests = []contractTest{
	{"sums what attempts came to", spendSums},
	{"is told apart by what is asked for", spendGroups},
	{"is one sum of a whole span", spendWhole},
	{"has the first sums only", spendLimit},
	{"is of the hours that are asked for", spendHours},
	{"is forgotten a page at a time", spendForgotten},
}

// spends asks for sums of the last hours and of the next, in which the test ends.
func (f *fixture) spends(q record.SpendQuery) []record.Spend {
	f.Helper()
	q.From, q.To = time.Now().Add(-24*time.Hour), time.Now().Add(24*time.Hour)
	if q.Limit == 0 {
		q.Limit = plenty
	}
	all, err := f.record.Spend(f.ctx, q)
	if err != nil {
		f.Fatalf("Spend: %v", err)
	}
	return all
}

// spend returns the sum of the sums, whatever the hour.
func (f *fixture) spend(q record.SpendQuery) (sum record.Sums) {
	f.Helper()
	for _, s := range f.spends(q) {
		sum.Pictures += s.Pictures
		sum.Attempts += s.Attempts
		sum.Tokens.Prompt += s.Tokens.Prompt
		sum.Tokens.Text += s.Tokens.Text
		sum.Tokens.Thought += s.Tokens.Thought
		sum.Tokens.Image += s.Tokens.Image
		sum.Tokens.Total += s.Tokens.Total
		sum.CostMicros += s.CostMicros
		sum.WastedMicros += s.WastedMicros
		sum.EstimatedMicros += s.EstimatedMicros
		sum.Waited += s.Waited
		sum.Ran += s.Ran
	}
	return sum
}

func spendSums(f *fixture) {
	tasks := f.create(4)
	picture := asked(f.claim(tasks[0], never))
	f.succeed(picture)
	refused := asked(f.claim(tasks[1], never))
	refused.Report.Bill = job.Bill{Billed: true, CostMicros: 600, Estimated: true, Tokens: &job.Tokens{Prompt: 400, Total: 400}}
	f.fail(refused)
	f.requeue(f.claim(tasks[2], never), record.Requeue{Lane: lane, GiveBack: true, After: never})
	f.cancel(picture.Job.ID)

	want := record.Sums{
		Pictures: 1, Attempts: 3, CostMicros: 39_300, WastedMicros: 600, EstimatedMicros: 600,
		Tokens: job.Tokens{Prompt: 800, Text: 3, Thought: 600, Image: 1120, Total: 2523},
	}
	for _, a := range f.attempts(picture.Job.ID) {
		want.Waited += a.Waited
		want.Ran += a.EndedAt.Sub(a.StartedAt)
	}
	f.wantEqual("the sums", f.spend(record.SpendQuery{}), want)
}

func spendGroups(f *fixture) {
	d := submission(2)
	d.Tenant = rival
	tasks := append(f.create(2), f.submit(d)...)
	for _, t := range tasks[:3] {
		f.succeed(f.claim(t, never))
	}
	f.fail(f.claim(job.Task{JobID: tasks[3].JobID, Index: 1, Dispatch: 1, Lane: spare}, never))
	type group struct {
		Lane, Model, Tenant string
		Outcome             job.Outcome
	}
	for _, tt := range []struct {
		q    record.SpendQuery
		want map[group]int64
	}{
		{record.SpendQuery{}, map[group]int64{{}: 4}},
		{record.SpendQuery{Lane: true}, map[group]int64{{Lane: lane}: 3, {Lane: spare}: 1}},
		{record.SpendQuery{Model: true}, map[group]int64{{Model: model}: 4}},
		{record.SpendQuery{Tenant: true}, map[group]int64{{Tenant: tenant}: 2, {Tenant: rival}: 2}},
		{record.SpendQuery{Outcome: true, Tenant: true}, map[group]int64{
			{Tenant: tenant, Outcome: "succeeded"}: 2,
			{Tenant: rival, Outcome: "blocked"}:    1, {Tenant: rival, Outcome: "succeeded"}: 1,
		}},
	} {
		got := make(map[group]int64) // an hour may end meanwhile
		for _, s := range f.spends(tt.q) {
			got[group{s.Lane, s.Model, s.Tenant, s.Outcome}] += s.Attempts
		}
		f.wantEqual("the sums", got, tt.want)
	}
}

func spendWhole(f *fixture) {
	tasks := f.create(2)
	f.succeed(f.claim(tasks[0], never))
	f.fail(f.claim(tasks[1], never))
	for _, zone := range []*time.Location{nil, time.UTC} {
		all := f.spends(record.SpendQuery{Whole: true, Zone: zone})
		f.wantEqual("sums", len(all), 1)
		f.wantEqual("when it begins", all[0].At, time.Time{})
		f.wantEqual("attempts", all[0].Attempts, int64(2))
	}
	f.wantEqual("sums by how attempts ended", len(f.spends(record.SpendQuery{Whole: true, Outcome: true})), 2)
}

func spendLimit(f *fixture) {
	tasks := f.create(2)
	f.fail(f.claim(tasks[0], never))
	f.succeed(f.claim(tasks[1], never))
	f.wantEqual("sums", len(f.spends(record.SpendQuery{Outcome: true, Limit: 1})), 1)
}

func spendHours(f *fixture) {
	c := f.claim(f.create(1)[0], never)
	f.succeed(c)
	hour := f.lastAttempt(c).EndedAt.Truncate(time.Hour)
	for _, tt := range []struct {
		from, to time.Duration
		want     int
	}{{0, time.Hour, 1}, {0, 1, 1}, {1, time.Hour, 0}, {-time.Hour, 0, 0}} {
		all, err := f.record.Spend(f.ctx, record.SpendQuery{From: hour.Add(tt.from * 1000), To: hour.Add(tt.to * 1000), Limit: plenty})
		if err != nil || len(all) != tt.want || tt.want == 1 && !all[0].At.Equal(hour) {
			f.Errorf("from %v to %v of the hour: %+v, %v", tt.from, tt.to, all, err)
		}
	}
}

func spendForgotten(f *fixture) {
	tasks := f.create(2)
	f.fail(f.claim(tasks[0], never))
	f.succeed(f.claim(tasks[1], never))
	for _, tt := range []struct {
		age         time.Duration
		limit, want int
	}{{2 * time.Hour, plenty, 0}, {gone, 1, 1}, {gone, plenty, 1}, {gone, plenty, 0}} {
		n, err := f.record.ForgetSpend(f.ctx, tt.age, tt.limit)
		if err != nil || n != tt.want {
			f.Errorf("it forgot %d, %v; want %d", n, err, tt.want)
		}
	}
	f.wantEqual("what is left", f.spend(record.SpendQuery{}), record.Sums{})
}
