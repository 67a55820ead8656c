-- Writes to the audit that a job is deleted by hand, if it has ended: nothing can
-- come between this and the deletion, which follows. Returns the entry's id then.
WITH ended AS (
    SELECT id, tenant, status FROM jobs WHERE id = @id AND completed_at IS NOT NULL FOR UPDATE
)
INSERT INTO audit (at, who, role, action, target, reason, detail)
SELECT now(), @who, @role, @action, id::text, @reason, jsonb_build_object('tenant', tenant, 'status', status)
FROM ended
RETURNING id
