-- Writes to the audit that a job was canceled by hand, if this transaction has
-- changed the job. Returns the entry's id then.
INSERT INTO audit (at, who, role, action, target, reason, detail)
SELECT now(), @who, @role, @action, id::text, @reason, jsonb_build_object('pictures', (
    SELECT count(*) FROM images WHERE job_id = @id AND status = 'canceled' AND xmin = pg_current_xact_id()::xid
)::text) || CASE WHEN @bulk::text = '' THEN '{}'::jsonb ELSE jsonb_build_object('bulk', @bulk) END
FROM jobs WHERE id = @id AND xmin = pg_current_xact_id()::xid
RETURNING id
