package chaos_test

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// auditSQL makes the database note every move of an image, and the process that
// made it. The service does not know of that.
const auditSQL = `
CREATE TABLE audit (
    at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    worker text NOT NULL DEFAULT current_setting('application_name'),
    job_id uuid NOT NULL, idx integer NOT NULL,
    was text NOT NULL, became text NOT NULL,
    claim_was uuid, claim uuid, error_code text
);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (job_id, idx, was, became, claim_was, claim, error_code)
    VALUES (NEW.job_id, NEW.idx, OLD.status, NEW.status, OLD.claim, NEW.claim, NEW.error_code);
    RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER UPDATE ON images FOR EACH ROW
    WHEN ((OLD.status, OLD.claim) IS DISTINCT FROM (NEW.status, NEW.claim))
    EXECUTE FUNCTION audit();`

// expireSQL sets the end of a dead process' leases to an hour ago, so that the
// sweep acts on them.
const expireSQL = `
UPDATE images SET due_at = now() - interval '1 hour'
WHERE status = 'processing' AND claim IN (SELECT claim FROM audit WHERE worker = $1)`

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
	if _, err := d.record.exec(ctx, expireSQL, worker); err != nil && ctx.Err() == nil {
		d.t.Errorf("leases of %s: %v", worker, err)
	}
}

// unsentSQL and unheardSQL let an hour pass for tasks on their way to the
// queue, and for images whose task should have come. A sweep leaves these alone
// for minutes, since the tasks may still come by themselves. resumeSQL ends
// pauses.
const (
	unsentSQL  = `UPDATE images SET handed_out_at = handed_out_at - interval '1 hour' WHERE status = 'queued' AND NOT enqueued`
	unheardSQL = `UPDATE images SET due_at = due_at - interval '1 hour' WHERE status = 'queued' AND due_at < now()`
	resumeSQL  = `UPDATE lanes SET paused_until = now() WHERE paused_until > now()`
)

// age lets that time pass and ends all pauses. It reports whether a lane was
// paused.
func (d *deployment) age(ctx context.Context) (paused bool) {
	for _, sql := range []string{unsentSQL, unheardSQL, resumeSQL} {
		rows, err := d.record.exec(ctx, sql)
		if err != nil && ctx.Err() == nil {
			d.t.Errorf("let time pass: %v", err)
		}
		paused = sql == resumeSQL && rows > 0
	}
	return paused
}
