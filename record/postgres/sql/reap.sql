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
    RETURNING i.job_id, i.idx, i.claims, coalesce(i.claim_lane, i.task_lane) AS claim_lane, i.dispatch, i.started_at, i.recorded_at,
        i.model, i.priority, i.task_lane
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
    RETURNING name
), noted AS (
    INSERT INTO attempts (
        job_id, idx, number, lane, model, tenant, dispatch, started_at, ended_at, waited,
        outcome, counted, detail, finish_reason, billed, cost_micros, estimated, price_list
    )
    SELECT m.job_id, m.idx, m.claims, m.claim_lane, m.model, c.tenant, m.dispatch - 1, m.started_at, now(),
           greatest(interval '0', m.started_at - coalesce(p.ended_at, CASE WHEN m.claims = 1 THEN m.recorded_at END, m.started_at)),
           'lost', true, '', '', false, 0, false, ''
    FROM moved m JOIN counted c ON c.id = m.job_id
    LEFT JOIN attempts p ON p.job_id = m.job_id AND p.idx = m.idx AND p.number = m.claims - 1
    ON CONFLICT DO NOTHING
    RETURNING lane, model, tenant, outcome, started_at, ended_at, waited
), added AS (
    INSERT INTO hourly AS h (
        hour, lane, model, tenant, outcome, attempts, prompt_tokens, text_tokens, thought_tokens, image_tokens,
        cost_micros, waited, ran
    )
    SELECT date_trunc('hour', now(), 'UTC'), lane, model, tenant, outcome, count(*), 0, 0, 0, 0, 0,
           sum(waited), sum(greatest(interval '0', ended_at - started_at))
    FROM noted, (SELECT count(*) FROM counted_lanes) AS lanes_first
    GROUP BY lane, model, tenant, outcome ORDER BY lane COLLATE "C", model COLLATE "C", tenant COLLATE "C", outcome COLLATE "C"
    ON CONFLICT (hour, lane, model, tenant, outcome) DO UPDATE SET
        attempts = h.attempts + excluded.attempts, waited = h.waited + excluded.waited, ran = h.ran + excluded.ran
)
SELECT job_id::text, idx, dispatch, task_lane FROM moved ORDER BY job_id, idx
