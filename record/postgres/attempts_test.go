package postgres_test

import (
	"testing"
	"time"

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
