-- Ends a claimed image with a reason. Returns a row if the claim held.
WITH moved AS (
    UPDATE images SET
        status = 'failed', completed_at = now(), error_code = @error_code, error_message = @error_message
    WHERE job_id = @id AND idx = @idx AND claim = @claim AND status = 'processing'
    RETURNING job_id
)
UPDATE jobs SET
    version = version + 1, processing = processing - 1, failed = failed + 1,
    completed_at = CASE WHEN queued + processing = 1 THEN now() END
FROM moved WHERE id = job_id
RETURNING version
