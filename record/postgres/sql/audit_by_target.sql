-- Reads a page of what was done to one thing, the latest entry first.
SELECT id, at, who, role, action, target, reason, detail FROM audit
WHERE target = @target AND id < @before ORDER BY id DESC LIMIT @limit
