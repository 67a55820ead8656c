package recordtest

import (
	"fmt"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var errorTests = []contractTest{
	{"groups attempts that failed alike", errorsAlike},
	{"tells some tenants of a group, those with the most first", errorsTenants},
	{"shows the largest groups only", errorsLimit},
	{"leaves out what is no failure, and what was before", errorsOthers},
}

func (f *fixture) errorGroups(since time.Time, limit int) record.ErrorGroups {
	f.Helper()
	all, err := f.record.Errors(f.ctx, since, limit)
	if err != nil {
		f.Fatalf("Errors: %v", err)
	}
	return all
}

// failWith ends an attempt of a tenant's new job with a provider's words.
func (f *fixture) failWith(of, detail string) job.Attempt {
	f.Helper()
	d := submission(1)
	d.Tenant = of
	c := f.claim(f.submit(d)[0], never)
	c.Report.Detail = detail
	f.fail(c)
	return f.lastAttempt(c)
}

func errorsAlike(f *fixture) {
	since := inHour()
	first := f.failWith(tenant, "Retry in 3.5s, 'a'")
	f.failWith(tenant, "Refused.")
	f.failWith(rival, "Retry in 12.0s, 'b'")
	c := f.claim(f.create(1)[0], never)
	c.Report.Detail = "Retry in 1.1s, 'c'"
	j, _ := f.requeue(c, record.Requeue{Lane: lane, After: never, GiveBack: true, Reason: &blocked})
	latest := f.attempts(j.ID)[0]
	all := f.errorGroups(since, plenty)
	f.wantEqual("how far it looked", []any{all.Looked, all.More, all.Since}, []any{4, false, since.UTC().Truncate(time.Microsecond)})
	var hours [record.ErrorHours]int
	hours[record.ErrorHours-1] = 3
	f.wantEqual("the largest group", all.Groups[0], record.ErrorGroup{
		Outcome: "blocked", Detail: "Retry in #.#s, …", Lane: lane, Attempts: 3, First: first.EndedAt, Last: latest.EndedAt,
		Tenants: []string{tenant, rival}, TenantCount: 2, Hours: hours, JobID: j.ID, Number: 1,
	})
	f.wantEqual("the other group", []any{len(all.Groups), all.Groups[1].Detail, all.Groups[1].Attempts}, []any{2, "Refused.", 1})
}

func errorsTenants(f *fixture) {
	for n := range record.MaxErrorTenants + 1 {
		for range n/record.MaxErrorTenants + 1 {
			f.failWith(fmt.Sprintf("t%d", n), "")
		}
	}
	g := f.errorGroups(inHour(), plenty).Groups[0]
	f.wantEqual("tenants", g.Tenants, []string{"t5", "t0", "t1", "t2", "t3"})
	f.wantEqual("how many there are", g.TenantCount, 6)
}

func errorsLimit(f *fixture) {
	for _, detail := range []string{"a", "b", "b"} {
		f.failWith(tenant, detail)
	}
	all := f.errorGroups(inHour(), 1)
	f.wantEqual("groups", []any{len(all.Groups), all.Groups[0].Detail, all.More, all.Looked}, []any{1, "b", true, 3})
	all = f.errorGroups(inHour(), 2)
	f.wantEqual("groups", []any{len(all.Groups), all.More}, []any{2, false})
}

func errorsOthers(f *fixture) {
	since := inHour()
	f.endAttempts()
	var outcomes []job.Outcome
	for _, g := range f.errorGroups(since, plenty).Groups {
		outcomes = append(outcomes, g.Outcome)
	}
	f.wantEqual("failures", outcomes, []job.Outcome{"quota_exhausted", "blocked"})
	f.wantEqual("failures to come", f.errorGroups(time.Now().Add(time.Hour), plenty).Looked, 0)
}
