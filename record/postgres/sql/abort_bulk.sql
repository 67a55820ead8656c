-- Lets a running bulk do no more, and writes that to the audit. Returns the audit's id
-- then.
WITH aborting AS (
    UPDATE bulks SET state = 'aborting', aborted_by = @who::text, abort_reason = @reason::text
    WHERE id = @id::uuid AND state = 'running'
    RETURNING id
)
INSERT INTO audit (at, who, role, action, target, reason)
SELECT now(), @who, @role::text, @action::text, id::text, @reason FROM aborting
RETURNING id
