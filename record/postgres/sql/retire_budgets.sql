-- Removes periods of budgets that ended long ago, the oldest first, and their webhooks.
-- Returns a row for each period.
WITH old AS (
    SELECT id FROM budgets WHERE ends_at <= now() - @age::interval ORDER BY ends_at, scope, starts_at LIMIT @limit FOR UPDATE SKIP LOCKED
), untold AS (
    DELETE FROM budget_webhooks w USING old o WHERE w.budget = o.id
)
DELETE FROM budgets b USING old o WHERE b.id = o.id RETURNING b.id
