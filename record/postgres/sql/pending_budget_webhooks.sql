-- Returns the next tries of webhooks of budgets whose tasks are not known to be on the
-- queue.
SELECT ''::text, id, tries + 1, renewed, next_at FROM budget_webhooks
WHERE state = 'waiting' AND NOT sent
ORDER BY happened_at, id
