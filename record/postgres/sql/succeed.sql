-- Ends a claimed image with its stored picture. Returns a row if the claim held.
WITH moved AS (
    UPDATE images SET
        status = 'succeeded', completed_at = now(),
        object_key = @object_key, content_type = @content_type, width = @width, height = @height,
        bytes = @bytes, sha256 = @sha256, model_version = @model_version, cost_micros = @cost_micros
    WHERE job_id = @id AND idx = @idx AND claim = @claim AND status = 'processing'
    RETURNING job_id
)
UPDATE jobs SET
    version = version + 1, processing = processing - 1, succeeded = succeeded + 1,
    completed_at = CASE WHEN queued + processing = 1 THEN now() END
FROM moved WHERE id = job_id
RETURNING version
