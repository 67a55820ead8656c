-- Reads a page of what one operator did, the latest entry first.
SELECT id, at, who, role, action, target, reason, detail FROM audit
WHERE who = @who AND id < @before AND (@target::text = '' OR target = @target)
ORDER BY id DESC LIMIT @limit
