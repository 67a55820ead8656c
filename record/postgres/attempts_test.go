package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// While a version is deployed, one of before claims and ends images too. It keeps
// neither the lane of a claim nor attempts, and a picture's cost is its list price.
func TestProgramsOfBeforeAttemptsGoOn(t *testing.T) {
	t.Parallel()
	pool := newPool(t, postgrestest.NewRecord(t))
	rec := postgres.New(pool)
	tasks := create(t, rec, 2)
	claim := func(i int) record.Claim {
		c, err := rec.Claim(t.Context(), record.ClaimRequest{Model: model, Task: tasks[i], Lease: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	claim(0)
	execSQL(t, pool, `
UPDATE images SET status = 'succeeded', completed_at = now(), object_key = 'k', cost_micros = 34000, claim_lane = NULL WHERE idx = 0;
UPDATE jobs SET processing = processing - 1, succeeded = succeeded + 1`) // as such a program does
	c := claim(1)
	if got := c.Job.SpentMicros(); got != 34_000 {
		t.Errorf("spent are %d, want the list price of the picture", got)
	}
	execSQL(t, pool, "UPDATE images SET claim_lane = NULL")
	if _, err := rec.Cancel(t.Context(), c.Job.ID); err != nil {
		t.Fatal(err)
	}
	attempts, err := rec.Attempts(t.Context(), c.Job.ID)
	if err != nil || len(attempts) != 1 || attempts[0].Index != 1 || attempts[0].Lane != lane {
		t.Errorf("attempts are %+v, %v; want one of image 1 on %s", attempts, err, lane)
	}
}

// A busy service ends thousands of attempts. What they came to is read from the sums of
// hours, and old sums are found by the hour.
func TestSumsCostWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
	execSQL(t, pool, `
INSERT INTO hourly
SELECT date_trunc('hour', now(), 'UTC') - h * interval '1 hour', 'lane', 'model', 'tenant-' || n, 'succeeded', 1, 1, 1, 1, 1, 1, '1 s', '1 s'
FROM generate_series(0, 9599) AS h, generate_series(0, 9) AS n`)
	execSQL(t, pool, "ANALYZE hourly")
	rec := postgres.New(pool)
	day := time.Now().Truncate(time.Hour)
	all, err := rec.Spend(t.Context(), record.SpendQuery{From: day.Add(-23 * time.Hour), To: day.Add(time.Hour), Tenant: true, Limit: 1000})
	if err != nil || len(all) != 240 {
		t.Errorf("a day has %d sums, %v; want 240", len(all), err)
	}
	explain(t, pool, tr.find(t, "spend")).wantBlocks(t, "the sums of a day", 30) // a full hundred thousand has 2,000
	if n, err := rec.ForgetSpend(t.Context(), 9_700*time.Hour, 100); n != 0 || err != nil {
		t.Errorf("it forgot %d, %v", n, err)
	}
	explain(t, pool, tr.find(t, "forget_spend")).wantBlocks(t, "to find nothing old", nothingBlocks)
	if n, err := rec.ForgetSpend(t.Context(), 9_000*time.Hour, 100); n != 100 || err != nil {
		t.Errorf("it forgot %d, %v; want a page", n, err)
	}
}

// What ends an attempt costs the same however many the image, the job and the hour
// have had.
func TestAttemptsCostTheSameWithAnyHistory(t *testing.T) {
	t.Parallel()
	pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
	rec := postgres.New(pool)
	next := create(t, rec, 1)[0]
	turn := func() {
		c, err := rec.Claim(t.Context(), record.ClaimRequest{Model: model, Task: next, Lease: time.Hour})
		if err == nil {
			_, next, err = rec.Requeue(t.Context(), c, record.Requeue{Lane: lane, GiveBack: true})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	turn()
	execSQL(t, pool, `
INSERT INTO attempts (job_id, idx, number, lane, model, tenant, dispatch, started_at, ended_at, waited,
                      outcome, counted, detail, finish_reason, billed, cost_micros, estimated, price_list)
SELECT j.id, i, n, 'lane', 'model-a', 'acme', 1, now(), now(), '0', 'given_back', false, '', '', false, 0, false, ''
FROM jobs j, generate_series(0, 9) AS i, generate_series(2, 10001) AS n;
UPDATE images SET claims = 10001`)
	execSQL(t, pool, "ANALYZE attempts")
	tr.reset()
	turn()
	explain(t, pool, tr.find(t, "claim")).wantBlocks(t, "a claim", claimBlocks)
	execSQL(t, pool, `
UPDATE images SET status = 'processing', attempts = 1; UPDATE jobs SET queued = 0, processing = 1;
DELETE FROM attempts WHERE number > 10001`) // as it was before
	explain(t, pool, tr.find(t, "requeue")).wantBlocks(t, "to end it", claimBlocks)
}

// An attempt is kept for 400 days after its end, and for as long as its image has not
// ended. The sums of hours and the image are as they were.
func TestAttemptsAreRemovedAfterTheirTime(t *testing.T) {
	t.Parallel()
	pool, setTime := withClock(t)
	rec := postgres.New(pool)
	begin := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	setTime(begin)
	tasks := create(t, rec, 2)
	id := tasks[0].JobID
	turn := func(task job.Task) (next job.Task) { // an attempt that will be followed by another one
		c, err := rec.Claim(t.Context(), record.ClaimRequest{Model: model, Task: task, Lease: time.Hour})
		if err == nil {
			_, next, err = rec.Requeue(t.Context(), c, record.Requeue{Lane: lane, After: time.Second, Reason: &job.Error{Code: job.CodeProviderTimeout}})
		}
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	next := turn(tasks[0])
	turn(tasks[1])
	setTime(begin.Add(time.Hour))
	c, err := rec.Claim(t.Context(), record.ClaimRequest{Model: model, Task: next, Lease: time.Hour})
	if err == nil {
		_, err = rec.Fail(t.Context(), c, job.Error{Code: job.CodeBlocked})
	}
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string, after time.Duration, want ...string) {
		t.Helper()
		setTime(begin.Add(record.AttemptsKept + after))
		if _, err := rec.RetireAttempts(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		all, err := rec.Attempts(t.Context(), id)
		var left []string
		for _, a := range all {
			left = append(left, fmt.Sprintf("%d/%d", a.Index, a.Number))
		}
		if diff := cmp.Diff(want, left); diff != "" || err != nil {
			t.Errorf("attempts %s: %v (-want +got):\n%s", when, err, diff)
		}
	}
	check("in their time", 0, "0/1", "0/2", "1/1")
	before, err := rec.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	check("of which one is past its time", time.Minute, "0/2", "1/1")
	check("after a second sweep", time.Minute, "0/2", "1/1")
	check("whose image has not ended", 2*time.Hour, "1/1")
	check("after another sweep", 2*time.Hour, "1/1")
	after, err := rec.Get(t.Context(), id)
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Errorf("the job: %v (-was +is):\n%s", err, diff)
	}
	spent, err := rec.Spend(t.Context(), record.SpendQuery{From: begin, To: begin.Add(2 * time.Hour), Limit: 10})
	if err != nil || len(spent) != 2 || spent[0].Attempts+spent[1].Attempts != 3 {
		t.Errorf("sums are %+v, %v; want three attempts of two hours", spent, err)
	}
	if _, err := rec.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	check("of images that have ended", 2*time.Hour)
}

// A page of old attempts is found at the old end of an index, whatever there is. The
// statistics may tell of an empty table.
func TestOldAttemptsCostTheSameWithAnyHistory(t *testing.T) {
	t.Parallel()
	const (
		limit  = 1_000
		blocks = 20 * limit // for each, a few ways down an index, its row, and its image's
	)
	for _, test := range []struct {
		jobs    int
		analyze bool
	}{{2_000, true}, {20_000, true}, {20_000, false}} {
		t.Run(fmt.Sprint(test.jobs, test.analyze), func(t *testing.T) {
			t.Parallel()
			pool, tr := newTracedPool(t, postgrestest.NewRecord(t))
			stopAutovacuum(t, pool)
			execSQL(t, pool, "ANALYZE jobs, images, attempts")
			seedBoard(t, pool, 0, test.jobs)
			if test.analyze {
				execSQL(t, pool, "ANALYZE jobs, images, attempts")
			}
			rec := postgres.New(pool)
			if n, err := rec.RetireAttempts(t.Context(), limit); n != 0 || err != nil {
				t.Fatalf("removed %d, %v", n, err)
			}
			explain(t, pool, tr.find(t, "retire_attempts")).wantBlocks(t, "to find nothing old", nothingBlocks)

			execSQL(t, pool, "UPDATE attempts SET ended_at = ended_at - interval '401 days' WHERE number = 2")
			if test.analyze {
				execSQL(t, pool, "ANALYZE attempts")
			}
			tr.reset()
			if n, err := rec.RetireAttempts(t.Context(), limit); n != limit || err != nil {
				t.Fatalf("removed %d, %v; want a page", n, err)
			}
			plan := explain(t, pool, tr.find(t, "retire_attempts"))
			plan.wantBlocks(t, "a page", blocks)
			if plan.index("attempts_ended") == nil {
				t.Error("old attempts are not looked up in attempts_ended")
			}
			for _, table := range plan.tableScans() {
				t.Errorf("it reads the table %s from end to end", table)
			}
		})
	}
}
