-- Does with webhooks of budgets what unsent_webhooks does with those of jobs.
WITH unsent AS (
    SELECT id, sent, handed_out_at AS since FROM budget_webhooks
    WHERE state = 'waiting' AND NOT sent AND handed_out_at <= now() - @age::interval
    ORDER BY handed_out_at, id
    LIMIT @limit FOR UPDATE SKIP LOCKED
), overdue AS (
    SELECT id, sent, handed_out_at AS since FROM budget_webhooks
    WHERE state = 'waiting' AND sent AND handed_out_at <= now() - @overdue::interval
    ORDER BY handed_out_at, id
    LIMIT @limit FOR UPDATE SKIP LOCKED
), stamped AS (
    UPDATE budget_webhooks w SET handed_out_at = now(), sent = false, renewed = renewed + f.sent::integer
    FROM (TABLE unsent UNION ALL TABLE overdue) AS f
    WHERE w.id = f.id
    RETURNING f.sent AS was_sent, f.since, w.id, w.tries, w.renewed, w.next_at
)
SELECT ''::text, id, tries + 1, renewed, next_at FROM stamped ORDER BY was_sent, since, id
