-- Notes how a try ended, if the webhook waits for the try of that number, and
-- returns when the next one is due. A log that is full loses its first try. With
-- 'gone', ends the job's other webhooks too, and records no more of them; runs
-- after lock_receiver and lock_webhooks then.
WITH noted AS (
    UPDATE webhooks SET
        state = @state, tries = @try,
        log = CASE WHEN jsonb_array_length(log) >= @most::integer THEN log - 0 ELSE log END || @entry::jsonb,
        next_at = CASE WHEN @state = 'waiting' THEN now() + @after::interval END,
        handed_out_at = CASE WHEN @state = 'waiting' THEN now() + @after::interval ELSE handed_out_at END,
        sent = true
    WHERE job_id = @id AND id = @webhook_id AND state = 'waiting' AND tries + 1 = @try
    RETURNING job_id, id, state, next_at
), others AS (
    UPDATE webhooks w SET state = 'gone', next_at = NULL
    FROM noted n WHERE n.state = 'gone' AND w.job_id = n.job_id AND w.id <> n.id AND w.state = 'waiting'
), silenced AS (
    UPDATE jobs j SET webhook_events = NULL FROM noted n WHERE n.state = 'gone' AND j.id = n.job_id
)
SELECT next_at FROM noted
