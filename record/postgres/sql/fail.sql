-- Ends a claimed image with a reason. Returns a row if the claim held.
-- Records what the job's receiver is told of.
WITH moved AS (
    UPDATE images SET
        status = 'failed', completed_at = now(), error_code = @error_code, error_message = @error_message,
        billed_micros = billed_micros + @billed_micros
    WHERE job_id = @id AND idx = @idx AND claim = @claim AND status = 'processing'
    RETURNING job_id
), counted AS (
    UPDATE jobs SET
        version = version + 1, processing = processing - 1, failed = failed + 1,
        completed_at = CASE WHEN queued + processing = 1 THEN now() END
    FROM moved WHERE id = job_id
    RETURNING id, version, status, webhook_events
), told AS (
    INSERT INTO webhooks (job_id, event, image_index, happened_at, version, status, next_at, handed_out_at)
    SELECT c.id, e.event, e.idx, now(), c.version, c.status, now(), now()
    FROM counted c CROSS JOIN LATERAL (VALUES ('image.failed', @idx::integer), ('job.' || c.status, NULL)) AS e (event, idx)
    WHERE e.event = ANY (c.webhook_events)
    ON CONFLICT DO NOTHING
)
SELECT version FROM counted
