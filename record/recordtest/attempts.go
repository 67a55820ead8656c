package recordtest

import (
	"strings"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

var attemptTests = []contractTest{
	{"are what became of each claim", attemptOutcomes},
	{"have what their claimant told", attemptReport},
	{"end once, however often that is repeated", attemptOnce},
	{"have the lane that the image was claimed on", attemptLane},
	{"have waited since the attempt before", attemptWaited},
	{"take a late report once", attemptLate},
	{"do not count twice what another claim finds", attemptStored},
	{"are removed with their job", attemptRemoved},
	{"are kept for long after their end", attemptsKept},
}

// asked returns a claim with the report of a request for a picture.
func asked(c record.Claim) record.Claim {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	c.Report = job.Report{
		SlotAt: at, AskedAt: at.Add(time.Second), AnsweredAt: at.Add(time.Minute), FinishReason: "STOP",
		Bill: job.Bill{
			Billed: true, CostMicros: 38_700, BoundMicros: 33_600, PriceList: "2026-11",
			Tokens: &job.Tokens{Prompt: 400, Text: 3, Thought: 600, Image: 1120, Total: 2123},
		},
	}
	return c
}

func (f *fixture) attempts(jobID string) []job.Attempt {
	f.Helper()
	all, err := f.record.Attempts(f.ctx, jobID)
	if err != nil {
		f.Fatalf("Attempts: %v", err)
	}
	return all
}

// lastAttempt returns the only or last attempt of a job.
func (f *fixture) lastAttempt(c record.Claim) job.Attempt {
	f.Helper()
	all := f.attempts(c.Job.ID)
	if len(all) == 0 {
		f.Fatal("there is no attempt")
	}
	return all[len(all)-1]
}

func (f *fixture) noteAttempt(c record.Claim, stored bool) {
	f.Helper()
	if err := f.record.NoteAttempt(f.ctx, c, stored); err != nil {
		f.Fatalf("NoteAttempt: %v", err)
	}
}

func attemptOutcomes(f *fixture) {
	for name, tt := range map[string]struct {
		end     func(c record.Claim)
		outcome job.Outcome
		back    bool
	}{
		"Succeed":         {func(c record.Claim) { f.succeed(c) }, job.OutcomeSucceeded, false},
		"Fail":            {func(c record.Claim) { f.fail(c) }, "blocked", false},
		"Requeue":         {func(c record.Claim) { f.requeue(c, record.Requeue{Lane: spare, Reason: &timedOut}) }, "provider_timeout", false},
		"Requeue, back":   {func(c record.Claim) { f.requeue(c, record.Requeue{Lane: spare, Reason: &timedOut, GiveBack: true}) }, "provider_timeout", true},
		"without reason":  {func(c record.Claim) { f.requeue(c, record.Requeue{Lane: spare, GiveBack: true}) }, job.OutcomeGivenBack, true},
		"Cancel":          {func(c record.Claim) { f.cancel(c.Job.ID) }, job.OutcomeCanceled, false},
		"Reap":            {func(record.Claim) { f.reap(gone, plenty) }, job.OutcomeLost, false},
		"Claim":           {func(c record.Claim) { f.claim(job.Task{JobID: c.Job.ID, Dispatch: 1, Lane: lane}, never) }, job.OutcomeLost, false},
		"Expire":          {func(record.Claim) { f.expire(plenty) }, "provider_timeout", false},
		"ExpireJob":       {func(c record.Claim) { f.expireJob(c.Job.ID) }, "provider_timeout", false},
		"nothing of it":   {func(record.Claim) {}, "", false},
		"a second Cancel": {func(c record.Claim) { f.cancel(c.Job.ID); f.cancel(c.Job.ID) }, job.OutcomeCanceled, false},
	} {
		c := f.claim(f.submit(overdue(1))[0], gone)
		tt.end(c)
		var want []job.Attempt
		got := f.attempts(c.Job.ID)
		if tt.outcome != "" && len(got) == 1 {
			want = append(want, job.Attempt{
				Number: 1, Lane: lane, Model: model, Tenant: tenant, Dispatch: 1, StartedAt: c.Image().StartedAt,
				EndedAt: got[0].EndedAt, Waited: c.Image().StartedAt.Sub(c.Job.CreatedAt), Outcome: tt.outcome, Counted: !tt.back,
			})
			if got[0].EndedAt.Before(got[0].StartedAt) {
				f.Errorf("%s: it ended at %v, and began at %v", name, got[0].EndedAt, got[0].StartedAt)
			}
		}
		if len(got)+len(want) > 0 {
			f.wantEqual("attempts after "+name, got, want)
		}
		f.cancel(c.Job.ID) // out of the way of the others
	}
}

func attemptReport(f *fixture) {
	c := asked(f.claim(f.create(1)[0], never))
	f.succeed(c)
	want := c.Report
	want.Bill.BoundMicros = 0 // of the image, not of the attempt
	f.wantEqual("the report", f.lastAttempt(c).Report, want)

	c = f.claim(f.create(1)[0], never)
	c.Report.Detail = "\x00\xff" + strings.Repeat("ä", job.MaxDetail)
	f.fail(c)
	f.wantEqual("words that no database takes as they are", f.lastAttempt(c).Detail, "�"+strings.Repeat("ä", (job.MaxDetail-3)/2))
}

func attemptOnce(f *fixture) {
	for name, end := range map[string]func(c record.Claim){
		"Succeed": func(c record.Claim) { f.succeed(c) },
		"Fail":    func(c record.Claim) { f.fail(c) },
		"Requeue": func(c record.Claim) { f.requeue(c, record.Requeue{Lane: lane, After: never}) },
	} {
		c := asked(f.claim(f.create(1)[0], never))
		end(c)
		attempts, spent := f.attempts(c.Job.ID), f.spend(record.SpendQuery{Outcome: true})
		end(c)
		f.noteAttempt(c, false)
		f.wantEqual("attempts after a repeated "+name, f.attempts(c.Job.ID), attempts)
		f.wantEqual("what they came to, after a repeated "+name, f.spend(record.SpendQuery{Outcome: true}), spent)
		f.wantEqual("how many there are", len(attempts), 1)
	}
}

// A task that is delivered twice takes the image's task away, and with it the lane.
func attemptLane(f *fixture) {
	d := submission(2)
	d.Lanes = []string{lane, spare}
	tasks := f.submit(d)
	c := f.claim(tasks[0], gone)
	f.claim(job.Task{JobID: newID(), Dispatch: 1, Lane: lane}, never) // the other one, so that nothing waits
	f.requeue(c, record.Requeue{Lane: spare})
	f.wantEqual("the lane", f.attempts(c.Job.ID)[0].Lane, lane)

	a, b := f.create(1), submission(1)
	b.Lanes = []string{spare}
	other := f.submit(b)
	f.useSlot() // what was put back
	first := f.claim(a[0], never)
	f.wantImage(first, a[0])
	f.wantImage(f.claim(a[0], never), other[0]) // now the first one holds the task of the other
	f.cancel(first.Job.ID)
	f.wantEqual("the lane of an image whose task is another's", f.lastAttempt(first).Lane, lane)
}

func attemptWaited(f *fixture) {
	c := f.claim(f.create(1)[0], never)
	_, next := f.requeue(c, record.Requeue{Lane: lane})
	f.tick()
	again := f.claim(next, never)
	f.succeed(again)
	all := f.attempts(c.Job.ID)
	f.wantEqual("how long it waited", all[1].Waited, all[1].StartedAt.Sub(all[0].EndedAt))
	f.wantEqual("the number, and that of the claim", []int{all[1].Number, again.Number}, []int{2, 2})
}

func attemptLate(f *fixture) {
	c := asked(f.claim(f.create(1)[0], never))
	f.noteAttempt(c, false)
	f.wantEqual("attempts that have not ended", len(f.attempts(c.Job.ID)), 0)
	f.cancel(c.Job.ID)
	before := f.spend(record.SpendQuery{})
	unasked := c
	unasked.Report.AskedAt = time.Time{}
	f.noteAttempt(unasked, false)
	f.wantEqual("the report of nothing", f.lastAttempt(c).Report, job.Report{})
	for range 2 {
		f.noteAttempt(c, true)
	}
	want := c.Report
	want.Bill.BoundMicros = 0
	f.wantEqual("the report", f.lastAttempt(c).Report, want)
	after := f.spend(record.SpendQuery{})
	f.wantEqual("attempts", after.Attempts, before.Attempts)
	f.wantEqual("what was wasted", after.WastedMicros, before.WastedMicros+38_700)
	f.wantEqual("thoughts", after.Tokens.Thought, before.Tokens.Thought+600)
}

func attemptStored(f *fixture) {
	c := asked(f.claim(f.create(1)[0], gone))
	f.reap(gone, plenty)
	f.noteAttempt(c, true)
	f.wantEqual("the report of one whose picture is found", f.lastAttempt(c).Report, job.Report{})
	f.noteAttempt(c, false)
	f.wantEqual("the cost of one whose picture is not", f.lastAttempt(c).Bill.CostMicros, c.Report.Bill.CostMicros)
}

func attemptRemoved(f *fixture) {
	c := asked(f.claim(f.create(1)[0], never))
	f.succeed(c)
	before := f.spend(record.SpendQuery{})
	if err := f.record.Delete(f.ctx, c.Job.ID); err != nil {
		f.Fatal(err)
	}
	f.wantEqual("attempts", len(f.attempts(c.Job.ID)), 0)
	f.wantEqual("what they came to", f.spend(record.SpendQuery{}), before)
	f.noteAttempt(c, false)
	f.wantEqual("attempts of nothing", len(f.attempts("nonsense")), 0)
}

func attemptsKept(f *fixture) {
	c := f.claim(f.create(1)[0], never)
	f.succeed(c)
	n, err := f.record.RetireAttempts(f.ctx, plenty)
	f.wantErr(err, nil)
	f.wantEqual("how many were removed", n, 0)
	f.wantEqual("attempts", len(f.attempts(c.Job.ID)), 1)
}

func (f *fixture) expireJob(id string) {
	f.Helper()
	if _, err := f.record.ExpireJob(f.ctx, id, timedOut); err != nil {
		f.Fatalf("ExpireJob: %v", err)
	}
}
