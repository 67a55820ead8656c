-- Tells where the images of a job are, by index, and whether the job has an
-- idempotency key.
SELECT j.idempotency_key IS NOT NULL, i.model, coalesce(CASE WHEN i.status <> 'queued' THEN i.claim_lane END, nullif(i.task_lane, '(held)'), ''),
       CASE WHEN i.status = 'processing' THEN i.due_at END, i.status = 'queued' AND NOT i.enqueued
FROM jobs j JOIN images i ON i.job_id = j.id
WHERE j.id = @id
ORDER BY i.idx
