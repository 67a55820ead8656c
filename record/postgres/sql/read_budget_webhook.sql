-- Reads a webhook of a budget.
SELECT w.id, w.happened_at, b.scope, b.starts_at, b.ends_at, w.level, w.limit_micros, w.raised_micros, w.reserved_micros, w.spent_micros,
       w.state, w.tries, w.renewed, w.next_at, w.log::text
FROM budget_webhooks w JOIN budgets b ON b.id = w.budget WHERE w.id = @webhook_id
