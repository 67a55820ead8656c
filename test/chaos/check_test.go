package chaos_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/ai-worker/ai-worker/snapshot"
)

// A row is one image in the record.
type row struct {
	job       string
	index     int
	status    string
	attempts  int
	objectKey string
	sha256    string
	bytes     int64
	code      string
	asked     string // the model that the caller asked for
	cut       int    // times that a claim of it ended and no result of the attempt was recorded
	putBack   int    // of those, times that the process with the claim put it back because it was asked to end
}

// key returns the key in the bucket under which the image's picture belongs.
func (r row) key() string { return fmt.Sprintf("images/%s/%d", r.job, r.index) }

// cutSQL matches the moves that end a claim in the middle of its attempt.
// Either another delivery takes over after the lease has run out, or the image
// is put back without a reason, as a process does that is asked to end.
const cutSQL = `(was = 'processing' AND became = 'processing' OR was = 'processing' AND became = 'queued' AND error_code IS NULL)`

const putBackSQL = cutSQL + ` AND became = 'queued' AND worker IN (
    SELECT c.worker FROM moves c WHERE c.claim = a.claim_was AND c.became = 'processing')`

// check compares what is there at the end with what was asked for.
func (d *deployment) check(jobs []*submitted) {
	d.t.Helper()
	byID := map[string]*submitted{}
	for _, j := range jobs {
		byID[j.id] = j
	}
	rows := d.readRows()
	sum := d.checkJobs(byID, rows)
	d.checkCounters()
	d.checkMoves()
	d.checkBudget(sum)
	d.checkLogs()
	stored := d.listObjects()
	d.checkObjects(rows, stored, sum)
	d.checkRequests(byID, rows, stored, sum)
	d.checkLanes(rows, byID)
	for _, r := range rows {
		if j := byID[r.job]; j != nil && j.planned.poison != nil {
			d.checkPoisoned(j, r, sum)
		}
	}
	d.checkTroubles(sum)
	d.t.Logf("%v", sum)
}

// readRows reads all images from the record.
func (d *deployment) readRows() []row {
	d.t.Helper()
	const sql = `
SELECT job_id::text, idx, status, attempts, coalesce(object_key, ''), coalesce(sha256, ''), coalesce(bytes, 0), coalesce(error_code, ''),
       (SELECT input ->> 'model' FROM jobs j WHERE j.id = i.job_id),
       (SELECT count(*) FROM moves a WHERE a.job_id = i.job_id AND a.idx = i.idx AND ` + cutSQL + `),
       (SELECT count(*) FROM moves a WHERE a.job_id = i.job_id AND a.idx = i.idx AND ` + putBackSQL + `)
FROM images i ORDER BY job_id, idx`
	return collect(d, func(r pgx.CollectableRow) (v row, err error) {
		err = r.Scan(&v.job, &v.index, &v.status, &v.attempts, &v.objectKey, &v.sha256, &v.bytes, &v.code, &v.asked, &v.cut, &v.putBack)
		return v, err
	}, sql)
}

// collect reads the rows that a statement finds.
func collect[T any](d *deployment, scan pgx.RowToFunc[T], sql string, args ...any) (rows []T) {
	d.t.Helper()
	err := d.record.do(d.t.Context(), func(conn *pgx.Conn) error {
		found, err := conn.Query(d.t.Context(), sql, args...)
		if err != nil {
			return err
		}
		rows, err = pgx.CollectRows(found, scan)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return rows
}

// checkJobs looks at every job as its caller sees it. The job must have ended,
// and must be as the record says.
func (d *deployment) checkJobs(byID map[string]*submitted, rows []row) *summary {
	d.t.Helper()
	sum := &summary{d: d, jobs: len(byID)}
	images := map[string][]row{}
	for _, r := range rows {
		images[r.job] = append(images[r.job], r)
		sum.images++
		switch r.status {
		case "succeeded":
			sum.succeeded++
		case "failed":
			sum.failed++
		default:
			sum.stranded++
		}
		sum.cut += r.cut
		sum.putBack += r.putBack
	}
	for id := range images {
		if byID[id] == nil {
			d.t.Errorf("job %s is recorded, and no caller was told of it", id)
		}
	}
	for id, j := range byID {
		d.checkJob(j, images[id])
	}
	return sum
}

func (d *deployment) checkJob(j *submitted, images []row) {
	d.t.Helper()
	want := map[string]int{"total": j.planned.count, "queued": 0, "processing": 0, "succeeded": 0, "failed": 0, "canceled": 0}
	for _, img := range images {
		want[img.status]++
	}
	ended := want["queued"]+want["processing"] == 0
	seen, err := d.poll(j, ended)
	if err != nil {
		d.t.Errorf("job %d: %v", j.number, err)
		return
	}
	for i, img := range images {
		if i < len(seen.Images) && (seen.Images[i].Status != img.status || seen.Images[i].SHA256 != img.sha256) {
			d.t.Errorf("image %s/%d is shown as %+v, recorded as %+v", j.id, i, seen.Images[i], img)
		}
		if img.status == "succeeded" && i < len(seen.Images) {
			d.checkPicture(img, seen.Images[i].URL)
		}
	}
	if diff := cmp.Diff(want, seen.Progress); diff != "" {
		d.t.Errorf("progress of job %s (-record +API):\n%s", j.id, diff)
	}
	if ended != seen.final() || !ended && sweepServed {
		d.t.Errorf("job %s is %s, with %v", j.id, seen.Status, want)
	}
}

// poll polls a job and returns what a caller sees. If the job has ended, it
// polls until the caller sees that. A write that Redis missed may hide the end
// for as long as a snapshot is believed, and a little longer on a slow machine.
func (d *deployment) poll(j *submitted, ended bool) (seen resource, err error) {
	ctx, cancel := context.WithTimeout(d.t.Context(), snapshot.MaxAge+time.Minute)
	defer cancel()
	until(ctx, func() bool {
		seen, err = d.get(j)
		return err == nil && (seen.final() || !ended)
	})
	return seen, err
}

// checkCounters compares the counters of jobs, lanes and tenants with the images.
func (d *deployment) checkCounters() {
	d.t.Helper()
	const wrongSQL = `
SELECT count(*) FROM jobs j JOIN (
    SELECT job_id, count(*) AS total,
           count(*) FILTER (WHERE status = 'queued') AS queued, count(*) FILTER (WHERE status = 'processing') AS processing,
           count(*) FILTER (WHERE status = 'succeeded') AS succeeded, count(*) FILTER (WHERE status = 'failed') AS failed,
           count(*) FILTER (WHERE status = 'canceled') AS canceled
    FROM images GROUP BY job_id) i ON i.job_id = j.id
WHERE (j.total, j.queued, j.processing, j.succeeded, j.failed, j.canceled)
   <> (i.total, i.queued, i.processing, i.succeeded, i.failed, i.canceled)
   OR (j.completed_at IS NULL) <> (j.queued + j.processing > 0)`
	wrong := 0
	if err := d.record.read(d.t.Context(), wrongSQL, &wrong); err != nil || wrong > 0 {
		d.t.Errorf("%d jobs whose counters are not those of their images (%v)", wrong, err)
	}
	const waitingSQL = `
SELECT count(*) FROM (
    SELECT l.waiting, (SELECT count(*) FROM images i WHERE i.status = 'queued' AND i.task_lane = l.name) AS images FROM lanes l
    UNION ALL
    SELECT t.waiting, (
        SELECT count(*) FROM images i JOIN jobs j ON j.id = i.job_id
        WHERE i.status = 'queued' AND i.model = t.model AND i.priority = t.priority AND j.tenant = t.tenant
    ) FROM tenants t
) AS counted WHERE waiting <> images`
	if err := d.record.read(d.t.Context(), waitingSQL, &wrong); err != nil || wrong > 0 {
		d.t.Errorf("%d lanes and tenants whose counters are not those of their images (%v)", wrong, err)
	}
}

// checkMoves fails if an image has left a final state.
func (d *deployment) checkMoves() {
	d.t.Helper()
	const sql = `SELECT count(*) FROM moves WHERE was IN ('succeeded', 'failed', 'canceled') AND became <> was`
	moved := 0
	if err := d.record.read(d.t.Context(), sql, &moved); err != nil || moved > 0 {
		d.t.Errorf("%d images left a final state (%v)", moved, err)
	}
}

// checkTroubles fails unless each kind of trouble came, and lanes were closed and
// found in order again.
func (d *deployment) checkTroubles(sum *summary) {
	d.t.Helper()
	for _, what := range slices.Concat(breaks, changes) {
		if d.taken[what] == 0 {
			d.t.Errorf("%q did not come", what)
		}
	}
	const closingsSQL = `SELECT count(*) FILTER (WHERE closes) FROM lane_audit`
	const proofsSQL = `SELECT count(DISTINCT (lane, proved_at)) FROM lane_audit WHERE proved_at IS NOT NULL`
	for sql, into := range map[string]*int{closingsSQL: &sum.closings, proofsSQL: &sum.proofs} {
		if err := d.record.read(d.t.Context(), sql, into); err != nil || *into == 0 {
			d.t.Errorf("closings and proofs of lanes: %d, %v", *into, err)
		}
	}
}
