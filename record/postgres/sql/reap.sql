-- Puts back what lapsed found, if it still is as it was found. Of each job it is
-- one transition. Runs under the models' locks. Returns the images' next tasks.
WITH ending AS (
    SELECT i.job_id, i.idx FROM images i
    JOIN unnest(@jobs::uuid[], @idxs::int[]) AS found (job_id, idx) ON i.job_id = found.job_id AND i.idx = found.idx
    WHERE i.status = 'processing' AND i.due_at <= now() - @age::interval
    ORDER BY i.job_id, i.idx FOR UPDATE OF i
), moved AS (
    UPDATE images i SET
        status = 'queued', ready = true, due_at = now(), claim = NULL,
        dispatch = dispatch + 1, task_job_id = i.job_id, task_idx = i.idx, task_dispatch = dispatch + 1,
        handed_out_at = now(), enqueued = false
    FROM ending e WHERE i.job_id = e.job_id AND i.idx = e.idx
    RETURNING i.job_id, i.idx, i.dispatch, i.task_lane, i.model, i.priority
), summed AS (
    SELECT job_id, count(*) AS reaped FROM moved GROUP BY job_id
), ordered AS (
    SELECT j.id FROM jobs j JOIN summed ON j.id = job_id ORDER BY j.id FOR UPDATE OF j
), counted AS (
    UPDATE jobs j SET version = version + 1, queued = queued + reaped, processing = processing - reaped
    FROM ordered o JOIN summed s ON s.job_id = o.id WHERE j.id = o.id
    RETURNING j.id, j.tenant
), counted_tenants AS (
    UPDATE tenants t SET waiting = waiting + c.reaped
    FROM (
        SELECT m.model, m.priority, c.tenant, count(*) AS reaped FROM moved m JOIN counted c ON c.id = m.job_id
        GROUP BY m.model, m.priority, c.tenant
    ) AS c
    WHERE t.model = c.model AND t.priority = c.priority AND t.tenant = c.tenant
), counted_lanes AS (
    INSERT INTO lanes AS l (name, waiting)
    SELECT m.task_lane, count(*) FROM moved m JOIN counted c ON c.id = m.job_id
    GROUP BY m.task_lane ORDER BY m.task_lane
    ON CONFLICT (name) DO UPDATE SET waiting = l.waiting + excluded.waiting
)
SELECT job_id::text, idx, dispatch, task_lane FROM moved ORDER BY job_id, idx
