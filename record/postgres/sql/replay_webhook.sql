-- Makes a webhook wait again, for the first try of a new round, unless it waits
-- already. Returns its id then.
UPDATE webhooks SET
    state = 'waiting', round_from = tries, renewed = renewed + 1, next_at = now(), sent = false, handed_out_at = now()
WHERE job_id = @id AND id = @webhook_id AND state <> 'waiting'
RETURNING id
