-- Removes entries of the audit that are past their time: record.AuditKept, which a
-- trigger holds too.
DELETE FROM audit WHERE id IN (
    SELECT id FROM audit WHERE at < now() - @kept::interval ORDER BY at, id LIMIT @limit
) RETURNING id
