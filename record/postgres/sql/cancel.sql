-- Ends the images of a job that have not ended, for its owner: the claims of
-- those that are being worked on are lost. It is one transition. Runs under the
-- models' locks. Returns the job's id if there were any.
WITH ending AS (
    SELECT job_id, idx, status FROM images
    WHERE job_id = @id AND status IN ('queued', 'processing')
    ORDER BY job_id, idx FOR UPDATE
), moved AS (
    UPDATE images i SET
        status = 'canceled', completed_at = now(), claim = NULL, error_code = NULL, error_message = NULL
    FROM ending e WHERE i.job_id = e.job_id AND i.idx = e.idx
    RETURNING i.job_id, i.model, i.priority, i.task_lane, e.status = 'queued' AS was_queued
), summed AS (
    SELECT job_id, count(*) AS ended, count(*) FILTER (WHERE was_queued) AS unqueued
    FROM moved GROUP BY job_id
), ordered AS (
    SELECT j.id FROM jobs j JOIN summed ON j.id = job_id ORDER BY j.id FOR UPDATE OF j
), counted AS (
    UPDATE jobs j SET
        version = version + 1, queued = queued - unqueued, processing = processing - (ended - unqueued),
        canceled = canceled + ended,
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
    INSERT INTO webhooks (job_id, event, happened_at, version, status, next_at, handed_out_at)
    SELECT id, 'job.' || status, now(), version, status, now(), now()
    FROM counted WHERE 'job.' || status = ANY (webhook_events)
    ON CONFLICT DO NOTHING
)
SELECT id::text FROM counted
