-- Writes to the audit that a webhook was replayed by hand, if this transaction has
-- changed it. Returns the entry's id then.
INSERT INTO audit (at, who, role, action, target, reason, detail)
SELECT now(), @who, @role, @action, job_id::text, @reason, jsonb_build_object('webhook', id)
FROM webhooks WHERE job_id = @id AND id = @webhook_id AND xmin = pg_current_xact_id()::xid
RETURNING id
