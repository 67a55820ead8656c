-- Reads a page of the audit, the latest entry first.
SELECT id, at, who, role, action, target, reason, detail FROM audit
WHERE id < @before ORDER BY id DESC LIMIT @limit
