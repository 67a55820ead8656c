-- Removes periods of budgets that ended long ago, the oldest first. Returns a row for
-- each.
WITH old AS (
    SELECT id FROM budgets WHERE ends_at <= now() - @age::interval ORDER BY ends_at, scope, starts_at LIMIT @limit FOR UPDATE SKIP LOCKED
)
DELETE FROM budgets b USING old o WHERE b.id = o.id RETURNING b.id
