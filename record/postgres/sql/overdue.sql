-- Finds jobs past their deadline of which images wait, or have lost their worker.
SELECT job_id::text, min(idx) FROM (
    SELECT job_id, idx, expires_at FROM images
    WHERE expires_at <= now() AND (status = 'queued' OR status = 'processing' AND due_at <= now())
    ORDER BY expires_at LIMIT @images
) AS images
GROUP BY job_id ORDER BY min(expires_at), job_id LIMIT @limit
