-- Finds images whose lease ran out.
SELECT job_id::text, idx FROM images
WHERE status = 'processing' AND due_at <= now() - @age::interval
ORDER BY due_at, job_id, idx LIMIT @limit
