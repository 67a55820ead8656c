package chaos_test

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// auditSQL makes the database note every move of an image, and the process that
// made it, which images a budget held, what was reserved without room in a budget, and
// when lanes close and are found in order. The service does not know of that.
const auditSQL = `
CREATE TABLE moves (
    at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    worker text NOT NULL DEFAULT current_setting('application_name'),
    job_id uuid NOT NULL, idx integer NOT NULL,
    was text NOT NULL, became text NOT NULL,
    claim_was uuid, claim uuid, error_code text,
    lane_was text NOT NULL, lane text NOT NULL, model text NOT NULL
);
CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO moves (job_id, idx, was, became, claim_was, claim, error_code, lane_was, lane, model)
    VALUES (NEW.job_id, NEW.idx, OLD.status, NEW.status, OLD.claim, NEW.claim, NEW.error_code, OLD.task_lane, NEW.task_lane, NEW.model);
    RETURN NULL;
END $$;
CREATE TRIGGER note_move AFTER UPDATE ON images FOR EACH ROW
    WHEN ((OLD.status, OLD.claim) IS DISTINCT FROM (NEW.status, NEW.claim))
    EXECUTE FUNCTION note_move();

CREATE TABLE released (job_id uuid NOT NULL, idx integer NOT NULL);
CREATE FUNCTION note_release() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO released VALUES (NEW.job_id, NEW.idx);
    RETURN NULL;
END $$;
CREATE TRIGGER note_release AFTER UPDATE ON images FOR EACH ROW
    WHEN (OLD.held_by IS NOT NULL AND NEW.held_by IS NULL)
    EXECUTE FUNCTION note_release();

CREATE TABLE exceeded (
    worker text NOT NULL DEFAULT current_setting('application_name'),
    reserved_micros bigint NOT NULL, spent_micros bigint NOT NULL, allowed_micros bigint NOT NULL
);
CREATE FUNCTION note_exceeded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO exceeded (reserved_micros, spent_micros, allowed_micros)
    VALUES (NEW.reserved_micros, NEW.spent_micros, NEW.limit_micros + NEW.raised_micros);
    RETURN NULL;
END $$;
CREATE TRIGGER note_exceeded AFTER UPDATE ON budgets FOR EACH ROW
    WHEN (NEW.reserved_micros > OLD.reserved_micros AND NEW.reserved_micros + NEW.spent_micros > NEW.limit_micros + NEW.raised_micros)
    EXECUTE FUNCTION note_exceeded();

CREATE TABLE lane_audit (
    at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    lane text NOT NULL, closes boolean NOT NULL, up boolean NOT NULL, proved_at timestamptz
);
CREATE FUNCTION lane_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO lane_audit (lane, closes, up, proved_at) VALUES (NEW.name,
        coalesce(NEW.paused_until > now() AND (OLD.paused_until IS NULL OR OLD.paused_until <= now()), false),
        NEW.paused_until IS NULL, NEW.proved_at);
    RETURN NULL;
END $$;
CREATE TRIGGER lane_audit AFTER UPDATE ON lanes FOR EACH ROW
    WHEN ((OLD.paused_until, OLD.proved_at) IS DISTINCT FROM (NEW.paused_until, NEW.proved_at))
    EXECUTE FUNCTION lane_audit();`

// passOver returns an UPDATE of images that waits for no lock: the service's own
// statements could wait for it in turn. What it passes over is for the next time.
func passOver(set, where string) string {
	return "UPDATE images SET " + set + " WHERE (job_id, idx) IN (SELECT job_id, idx FROM images WHERE " + where + " FOR UPDATE SKIP LOCKED)"
}

// ofDeadSQL matches the leases of a process that a sweep would not act on. expireSQL sets their
// end to an hour ago, so that the sweep acts on them.
const ofDeadSQL = `status = 'processing' AND due_at > now() - interval '30 minutes' AND claim IN (SELECT claim FROM moves WHERE worker = $1)`

var expireSQL = passOver("due_at = now() - interval '1 hour'", ofDeadSQL)

// inherit waits until a dead process has no connection to Postgres any more,
// and then ends its leases. Until then, its last statement may still be
// running. An empty name means that there is no such process.
func (d *deployment) inherit(ctx context.Context, worker string) {
	if worker == "" {
		return
	}
	const goneSQL = `SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = $1`
	gone := false
	until(ctx, func() bool {
		err := d.record.do(ctx, func(conn *pgx.Conn) error {
			return conn.QueryRow(ctx, goneSQL, worker).Scan(&gone)
		})
		return err != nil || gone
	})
	if !gone {
		return // the test is over
	}
	until(ctx, func() bool {
		left := 0
		_, err := d.record.exec(ctx, expireSQL, worker)
		if err == nil {
			err = d.record.do(ctx, func(conn *pgx.Conn) error {
				return conn.QueryRow(ctx, "SELECT count(*) FROM images WHERE "+ofDeadSQL, worker).Scan(&left)
			})
		}
		if err != nil && ctx.Err() == nil {
			d.t.Errorf("leases of %s: %v", worker, err)
		}
		return err != nil || left == 0
	})
}

// unsentSQL and unheardSQL let an hour pass for tasks on their way to the
// queue, and for images whose task should have come. A sweep leaves these alone
// for minutes, since the tasks may still come by themselves. laterSQL lets the
// time pass for which images of a lane wait, settleSQL that in which a worker may
// still tell what an attempt was billed. resumeSQL ends pauses.
var (
	unsentSQL  = passOver("handed_out_at = handed_out_at - interval '1 hour'", "status = 'queued' AND NOT enqueued")
	unheardSQL = passOver("due_at = due_at - interval '1 hour'", "status = 'queued' AND due_at < now()")
	laterSQL   = passOver("due_at = now() - interval '1 hour'", "status = 'queued' AND due_at > now() AND task_lane = $1")
	settleSQL  = passOver("completed_at = completed_at - interval '1 hour'", "completed_at > now() - interval '1 hour' AND reserved_micros > 0 AND NOT settled")
)

const (
	untoldSQL = `UPDATE webhooks SET handed_out_at = handed_out_at - interval '1 hour' WHERE state = 'waiting' AND NOT sent`
	resumeSQL = `UPDATE lanes SET paused_until = now() WHERE paused_until > now()`
)

// letPass lets the time pass for which images of a lane wait whose tasks do not
// come: the lane's queue is paused or gone, and hurry runs none of its tasks.
func (d *deployment) letPass(ctx context.Context, lane string) {
	if _, err := d.record.exec(ctx, laterSQL, lane); err != nil && ctx.Err() == nil {
		d.t.Errorf("let time pass on lane %s: %v", lane, err)
	}
}

// age lets that time pass and ends all pauses. It reports whether a lane was
// paused.
func (d *deployment) age(ctx context.Context) (paused bool) {
	for _, lane := range d.setups.now().idle() {
		d.letPass(ctx, lane)
	}
	for _, sql := range []string{untoldSQL, unsentSQL, unheardSQL, settleSQL, resumeSQL} {
		rows, err := d.record.exec(ctx, sql)
		if err != nil && ctx.Err() == nil {
			d.t.Errorf("let time pass: %v", err)
		}
		paused = sql == resumeSQL && rows > 0
	}
	return paused
}

// readClaims reads all claims, with the model that their image's caller asked for.
func (d *deployment) readClaims() []claimed {
	d.t.Helper()
	const sql = `
SELECT a.worker, a.lane, a.model, j.input ->> 'model', a.job_id || '/' || a.idx
FROM moves a JOIN jobs j ON j.id = a.job_id
WHERE a.became = 'processing' AND a.claim IS DISTINCT FROM a.claim_was`
	return collect(d, func(r pgx.CollectableRow) (c claimed, err error) {
		err = r.Scan(&c.worker, &c.lane, &c.model, &c.asked, &c.image)
		return c, err
	}, sql)
}
