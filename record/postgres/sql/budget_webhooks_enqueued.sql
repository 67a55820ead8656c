-- Notes that tasks of webhooks of budgets are on the queue, each if it is that of the
-- next try. Returns the ids of those.
WITH named AS (
    SELECT w.id FROM budget_webhooks w
    JOIN unnest(@ids::text[], @tries::integer[], @renewals::integer[]) AS t (id, try, renewed) ON w.id = t.id
    WHERE w.state = 'waiting' AND NOT w.sent AND w.tries + 1 = t.try AND w.renewed = t.renewed
    ORDER BY w.id FOR UPDATE OF w
)
UPDATE budget_webhooks w SET sent = true FROM named n WHERE w.id = n.id
RETURNING w.id
