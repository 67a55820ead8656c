-- Ends the images of a job that have not ended, for its owner: the claims of
-- those that are being worked on are lost. It is one transition. Settles the
-- reservations of those that wait; those of others stay until note_attempt or settle.
-- Runs under the models' locks. Returns the job's id if there were any.
WITH ending AS (
    SELECT job_id, idx, status FROM images
    WHERE job_id = @id AND status IN ('queued', 'processing')
    ORDER BY job_id, idx FOR UPDATE
), moved AS (
    UPDATE images i SET
        status = 'canceled', completed_at = now(), claim = NULL, error_code = NULL, error_message = NULL,
        settled = e.status = 'queued'
    FROM ending e WHERE i.job_id = e.job_id AND i.idx = e.idx
    RETURNING i.job_id, i.idx, i.claims, coalesce(i.claim_lane, i.task_lane) AS claim_lane, i.dispatch, i.started_at, i.recorded_at,
        i.model, i.priority, i.task_lane, e.status = 'queued' AS was_queued,
        i.budgets, i.reserved_micros, i.billed_micros, i.counted_micros
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
), due AS (
    SELECT budget AS id, sum(m.reserved_micros)::bigint AS reserved, sum(m.billed_micros - m.counted_micros)::bigint AS spent
    FROM moved m JOIN counted c ON c.id = m.job_id CROSS JOIN unnest(m.budgets) AS budget
    WHERE m.was_queued GROUP BY budget
), locked AS (
    SELECT b.id FROM budgets b JOIN due ON due.id = b.id ORDER BY b.scope, b.starts_at, b.ends_at FOR UPDATE OF b
), settled AS (
    UPDATE budgets b SET reserved_micros = b.reserved_micros - due.reserved, spent_micros = b.spent_micros + due.spent
    FROM locked JOIN due ON due.id = locked.id WHERE b.id = locked.id
    RETURNING b.id
), counted_lanes AS (
    INSERT INTO lanes AS l (name, waiting)
    SELECT m.task_lane, -count(*) FROM moved m JOIN counted c ON c.id = m.job_id, (SELECT count(*) FROM settled) AS budgets_first
    WHERE m.was_queued GROUP BY m.task_lane ORDER BY m.task_lane
    ON CONFLICT (name) DO UPDATE SET waiting = l.waiting + excluded.waiting
    RETURNING name
), told AS (
    INSERT INTO webhooks (job_id, event, happened_at, version, status, next_at, handed_out_at)
    SELECT id, 'job.' || status, now(), version, status, now(), now()
    FROM counted WHERE 'job.' || status = ANY (webhook_events)
    ON CONFLICT DO NOTHING
), noted AS (
    INSERT INTO attempts (
        job_id, idx, number, lane, model, tenant, dispatch, started_at, ended_at, waited,
        outcome, counted, detail, finish_reason, billed, cost_micros, estimated, price_list
    )
    SELECT m.job_id, m.idx, m.claims, m.claim_lane, m.model, c.tenant, m.dispatch, m.started_at, now(),
           greatest(interval '0', m.started_at - coalesce(p.ended_at, CASE WHEN m.claims = 1 THEN m.recorded_at END, m.started_at)),
           'canceled', true, '', '', false, 0, false, ''
    FROM moved m JOIN counted c ON c.id = m.job_id
    LEFT JOIN attempts p ON p.job_id = m.job_id AND p.idx = m.idx AND p.number = m.claims - 1
    WHERE NOT m.was_queued
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
SELECT id::text FROM counted
