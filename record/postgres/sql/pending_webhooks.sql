-- Returns the next tries of jobs' webhooks whose tasks are not known to be on the
-- queue.
SELECT job_id::text, id, tries + 1, renewed, next_at FROM webhooks
WHERE job_id = ANY (@jobs::uuid[]) AND state = 'waiting' AND NOT sent
ORDER BY job_id, happened_at, id
