-- Fails what overdue found, if it still is as it was found. Of each job it is one
-- transition. Runs under the models' locks. Returns the jobs' ids.
WITH ending AS (
    SELECT job_id, idx, status FROM images
    WHERE job_id = ANY (@jobs::uuid[]) AND expires_at <= now()
      AND (status = 'queued' OR status = 'processing' AND due_at <= now())
    ORDER BY job_id, idx FOR UPDATE
), moved AS (
    UPDATE images i SET
        status = 'failed', completed_at = now(), claim = NULL, error_code = @error_code, error_message = @error_message
    FROM ending e WHERE i.job_id = e.job_id AND i.idx = e.idx
    RETURNING i.job_id, i.model, i.priority, i.task_lane, e.status = 'queued' AS was_queued, i.idx
), summed AS (
    SELECT job_id, count(*) AS ended, count(*) FILTER (WHERE was_queued) AS unqueued
    FROM moved GROUP BY job_id
), ordered AS (
    SELECT j.id FROM jobs j JOIN summed ON j.id = job_id ORDER BY j.id FOR UPDATE OF j
), counted AS (
    UPDATE jobs j SET
        version = version + 1, queued = queued - unqueued, processing = processing - (ended - unqueued),
        failed = failed + ended,
        completed_at = CASE WHEN queued + processing = ended THEN now() END
    FROM ordered o JOIN summed s ON s.job_id = o.id WHERE j.id = o.id
    RETURNING j.id, j.tenant, j.version, j.status, j.webhook_events
), counted_tenants AS (
    UPDATE tenants t SET waiting = waiting - c.unqueued
    FROM (
        SELECT m.model, m.priority, c.tenant, count(*) AS unqueued FROM moved m JOIN counted c ON c.id = m.job_id
        WHERE m.was_queued GROUP BY m.model, m.priority, c.tenant
    ) AS c
    WHERE t.model = c.model AND t.priority = c.priority AND t.tenant = c.tenant
), counted_lanes AS (
    INSERT INTO lanes AS l (name, waiting)
    SELECT m.task_lane, -count(*) FROM moved m JOIN counted c ON c.id = m.job_id
    WHERE m.was_queued GROUP BY m.task_lane ORDER BY m.task_lane
    ON CONFLICT (name) DO UPDATE SET waiting = l.waiting + excluded.waiting
), told AS (
    INSERT INTO webhooks (job_id, event, image_index, happened_at, version, status, next_at, handed_out_at)
    SELECT c.id, e.event, e.idx, now(), c.version, c.status, now(), now()
    FROM counted c CROSS JOIN LATERAL (
        SELECT 'image.failed', m.idx FROM moved m WHERE m.job_id = c.id UNION ALL SELECT 'job.' || c.status, NULL
    ) AS e (event, idx)
    WHERE e.event = ANY (c.webhook_events)
    ON CONFLICT DO NOTHING
)
SELECT id::text FROM counted
