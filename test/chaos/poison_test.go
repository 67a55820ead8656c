package chaos_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/local/gemini"
)

// A poison is an answer that closes the lane, and that one job's requests get
// always, whatever else happens. The job is at fault, and must fail.
type poison struct {
	answer gemini.Fault
	// grants is how many disproved refusals an image is granted. With the
	// request after the last of them it fails.
	grants int
}

// poisons returns what is wrong with the poisoned jobs of a run: a job that
// seems to break its lane, and one that seems to use up the quota of a minute.
func poisons(random func(n int) int) []poison {
	broken := []gemini.Fault{"404-model", "403-suspended"}
	return []poison{
		{answer: broken[random(len(broken))], grants: 2},
		{answer: "429-minute", grants: 3},
	}
}

// poisonPatience bounds the wait for poisoned images to fail once nothing breaks.
// They need some openings of lanes, which are seconds apart.
const poisonPatience = 10 * time.Minute

// trickle submits pictures, as callers go on to do, until the poisoned jobs have
// ended: an image is at fault only if others find the lane open that it closed.
// It returns all jobs.
func (d *deployment) trickle(ctx context.Context, jobs []*submitted) []*submitted {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, poisonPatience)
	defer cancel()
	var poisoned []string
	for _, j := range jobs {
		if j.planned.poison != nil {
			poisoned = append(poisoned, j.id)
		}
	}
	const leftSQL = `SELECT count(*) FROM jobs WHERE id::text = ANY($1) AND completed_at IS NULL`
	left := len(poisoned)
	for wait(ctx, time.Second) {
		err := d.record.do(ctx, func(conn *pgx.Conn) error { return conn.QueryRow(ctx, leftSQL, poisoned).Scan(&left) })
		if err != nil || left == 0 {
			break
		}
		j := &submitted{number: len(jobs), planned: plannedJob{tenant: web, count: 1}}
		d.submit(ctx, j)
		jobs = append(jobs, j)
	}
	if left > 0 {
		d.t.Errorf("%d poisoned jobs have not ended after %s", left, poisonPatience)
	}
	return jobs
}

// checkPoisoned fails unless an image of a poisoned job has failed as being at
// fault, after a bounded number of requests: one, one for each disproved refusal
// that it is granted, one for each refusal that did not count, and one for each
// attempt that was cut. A refusal is disproved once its lane is found in order,
// by an image that was claimed after it. An image whose attempts were cut too
// often may also have failed for that.
func (d *deployment) checkPoisoned(j *submitted, r row, sum *summary) {
	d.t.Helper()
	p := j.planned.poison
	key := fmt.Sprintf("%s (%s)", r.key(), p.answer)
	exhausted := r.code == string(job.CodeAttemptsExhausted) && r.cut-r.putBack >= maxAttempts
	if r.status != "failed" || r.code != string(job.CodeInvalidRequest) && !exhausted {
		d.t.Errorf("%s is %s with %q, want failed with invalid_request", key, r.status, r.code)
	}
	asked, standing := d.model.asked[pictureID{job: j.number, index: r.index}], d.standing(r)
	if limit := 1 + p.grants + standing + r.cut; asked > limit {
		d.t.Errorf("%s: Gemini was asked %d times, want %d at most: 1, %d granted, %d that did not count, %d cut",
			key, asked, limit, p.grants, standing, r.cut)
	}
	sum.poisoned = append(sum.poisoned, fmt.Sprintf("%s %s after %d requests, %d that did not count", p.answer, r.code, asked, standing))
}

// maxAttempts is how many attempts an image has. A crash spends one.
const maxAttempts = 4

// A refusal is one that an attempt of a poisoned image met.
type refusal struct {
	lane        string
	claimed, at time.Time
}

// A laneChange says how a lane was from some time on.
type laneChange struct {
	lane   string
	at     time.Time
	up     bool // neither paused nor on probation
	proved *time.Time
}

// settled is how long before an attempt a change must have been noted for it to
// be known to the attempt: the database notes it somewhat before it commits it.
const settled = time.Second

// standing counts the refusals of an image that nobody had disproved when the
// next one came. Once one was disproved, the next ones need not be, if their lane
// was up all the time: the service counts each at once.
func (d *deployment) standing(r row) (n int) {
	d.t.Helper()
	refusals, changes := d.readRefusals(r), d.readLaneChanges()
	before := false // one was disproved
	for i, next := range refusals[min(1, len(refusals)):] {
		if disproved(refusals[i], next, changes) || before && wasUp(next, changes) {
			before = true
		} else {
			n++
		}
	}
	return n
}

// disproved reports whether the lane of a refusal was found in order before the
// attempt at the next one began.
func disproved(r, next refusal, changes []laneChange) bool {
	return slices.ContainsFunc(changes, func(c laneChange) bool {
		return c.lane == r.lane && c.proved != nil && c.proved.After(r.at) && c.at.Before(next.claimed.Add(-settled))
	})
}

// wasUp reports whether the lane of a refusal was up during all of its attempt.
func wasUp(r refusal, changes []laneChange) bool {
	up := true
	for _, c := range changes {
		switch {
		case c.lane != r.lane || c.at.After(r.at):
		case c.at.Before(r.claimed.Add(-settled)):
			up = c.up
		default:
			up = up && c.up
		}
	}
	return up
}

func (d *deployment) readRefusals(r row) []refusal {
	d.t.Helper()
	const sql = `
SELECT r.lane_was, coalesce((SELECT max(c.at) FROM moves c WHERE c.claim = r.claim_was AND c.became = 'processing'), r.at), r.at
FROM moves r
WHERE r.job_id = $1 AND r.idx = $2 AND r.was = 'processing' AND r.error_code <> $3
ORDER BY r.at`
	return collect(d, func(found pgx.CollectableRow) (v refusal, err error) {
		err = found.Scan(&v.lane, &v.claimed, &v.at)
		return v, err
	}, sql, r.job, r.index, job.CodeStorageError)
}

// readLaneChanges reads how the lanes were, in order.
func (d *deployment) readLaneChanges() []laneChange {
	d.t.Helper()
	const sql = `SELECT lane, at, up, proved_at FROM lane_audit ORDER BY at`
	return collect(d, func(found pgx.CollectableRow) (v laneChange, err error) {
		err = found.Scan(&v.lane, &v.at, &v.up, &v.proved)
		return v, err
	}, sql)
}
