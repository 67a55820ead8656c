-- Notes how a try to tell of a budget ended, if the webhook waits for the try of that
-- number, and returns when the next one is due. A log that is full loses its first try.
UPDATE budget_webhooks SET
    state = @state, tries = @try,
    log = CASE WHEN jsonb_array_length(log) >= @most::integer THEN log - 0 ELSE log END || @entry::jsonb,
    next_at = CASE WHEN @state = 'waiting' THEN now() + @after::interval END,
    handed_out_at = CASE WHEN @state = 'waiting' THEN now() + @after::interval ELSE handed_out_at END,
    sent = true
WHERE id = @webhook_id AND state = 'waiting' AND tries + 1 = @try
RETURNING next_at
