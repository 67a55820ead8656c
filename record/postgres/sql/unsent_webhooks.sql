-- Returns the next tries of webhooks whose tasks are not known to be on the queue,
-- and of those whose time came long ago. The latter get another task. Stamps all of
-- them, so that they are not found again until another age has passed. Passes over
-- what is locked, and so waits for nobody.
WITH unsent AS (
    SELECT job_id, id, sent, handed_out_at AS since FROM webhooks
    WHERE state = 'waiting' AND NOT sent AND handed_out_at <= now() - @age::interval
    ORDER BY handed_out_at, job_id, id
    LIMIT @limit FOR UPDATE SKIP LOCKED
), overdue AS (
    SELECT job_id, id, sent, handed_out_at AS since FROM webhooks
    WHERE state = 'waiting' AND sent AND handed_out_at <= now() - @overdue::interval
    ORDER BY handed_out_at, job_id, id
    LIMIT @limit FOR UPDATE SKIP LOCKED
), stamped AS (
    UPDATE webhooks w SET handed_out_at = now(), sent = false, renewed = renewed + f.sent::integer
    FROM (TABLE unsent UNION ALL TABLE overdue) AS f
    WHERE w.job_id = f.job_id AND w.id = f.id
    RETURNING f.sent AS was_sent, f.since, w.job_id, w.id, w.tries, w.renewed, w.next_at
)
SELECT job_id::text, id, tries + 1, renewed, next_at FROM stamped ORDER BY was_sent, since, job_id, id
