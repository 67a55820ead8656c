-- Takes the image whose turn it is: the first that is ready, or the one that
-- holds the delivered task if that comes before it. Exchanges its task with the
-- one of the delivered task's holder. Runs under the model's lock. Returns one
-- row in any case: what it took, the state of the image that held the task
-- before, and its model if that is another one, and the lane if that is paused.
-- In these two cases it takes nothing.
--
-- While the lane is on probation, images that have struck a lane go last, by the
-- task that they hold only, and not while another image finds out whether the
-- lane works.
--
-- A ready image that is locked is just being looked at by the sweep, so it is
-- passed over. The holder is waited for. Images are locked before jobs, as
-- everywhere: claimed names holder only for that.
--
-- One image less waits, and one task less is waited for. Which lane's that is
-- follows from the exchange: the delivered one's if its holder goes on waiting,
-- with the other task; else that of the image that was taken.
--
-- A job that has just started is one that started in this transaction.
WITH paused AS (
    SELECT name, waiting, paused_until, broken, reason_code, reason_message, paused_since,
           hand_paused_at, hand_paused_by, hand_paused_reason,
           greatest(paused_until - now(), interval '0') AS remains
    FROM lanes WHERE name = @lane AND (paused_until > now() OR hand_paused_at IS NOT NULL)
), probation AS (
    SELECT paused_until FROM lanes WHERE name = @lane AND paused_until <= now()
), stray AS (
    SELECT model FROM images
    WHERE task_job_id = @task_job_id AND task_idx = @task_idx AND task_dispatch = @task_dispatch
      AND status IN ('queued', 'processing') AND model <> @model
    LIMIT 1
), turn AS (
    SELECT job_id, idx, status, priority, start_tag, recorded_at,
           task_job_id, task_idx, task_dispatch, task_lane, handed_out_at, enqueued, struck_at,
           claims, claim_lane, dispatch, started_at
    FROM images
    WHERE model = @model AND status = 'queued' AND ready AND NOT EXISTS (SELECT FROM paused)
      AND NOT EXISTS (SELECT FROM stray)
      AND NOT (struck_at IS NOT NULL AND EXISTS (SELECT FROM probation))
    ORDER BY priority, start_tag, recorded_at, job_id, idx
    LIMIT 1 FOR UPDATE SKIP LOCKED
), own AS (
    SELECT job_id, idx, status, priority, start_tag, recorded_at,
           task_job_id, task_idx, task_dispatch, task_lane, handed_out_at, enqueued, struck_at,
           claims, claim_lane, dispatch, started_at
    FROM images
    WHERE task_job_id = @task_job_id AND task_idx = @task_idx AND task_dispatch = @task_dispatch
      AND status IN ('queued', 'processing') AND model = @model
      AND (status = 'queued' OR due_at <= now()) AND NOT EXISTS (SELECT FROM paused)
      AND NOT (struck_at IS NOT NULL AND EXISTS (
          SELECT FROM images p, probation
          WHERE p.status = 'processing' AND p.due_at > now() AND p.task_lane = @lane AND p.started_at >= paused_until
      ))
    LIMIT 1 FOR UPDATE
), picked AS (
    SELECT job_id, idx, status, priority, start_tag, recorded_at,
           task_job_id, task_idx, task_dispatch, task_lane, handed_out_at, enqueued,
           claims, claim_lane, dispatch, started_at
    FROM (TABLE turn UNION ALL TABLE own) AS candidates
    ORDER BY struck_at IS NOT NULL AND EXISTS (SELECT FROM probation), priority, start_tag, recorded_at, job_id, idx
    LIMIT 1
), holder AS (
    SELECT job_id, idx, status, task_lane FROM images
    WHERE task_job_id = @task_job_id AND task_idx = @task_idx AND task_dispatch = @task_dispatch
      AND status IN ('queued', 'processing')
      AND (job_id, idx) <> (SELECT job_id, idx FROM picked)
    LIMIT 1 FOR UPDATE
), exchanged AS (
    UPDATE images i SET
        task_job_id = p.task_job_id, task_idx = p.task_idx, task_dispatch = p.task_dispatch, task_lane = p.task_lane,
        handed_out_at = p.handed_out_at, enqueued = p.enqueued, ready = ready OR due_at <= now()
    FROM picked p, holder h
    WHERE i.job_id = h.job_id AND i.idx = h.idx
), claimed AS (
    UPDATE images i SET
        status = 'processing', attempts = i.attempts + 1, claims = i.claims + 1,
        claim = @claim, claim_lane = @lane, due_at = clock_timestamp() + @lease::interval,
        task_job_id = @task_job_id, task_idx = @task_idx, task_dispatch = @task_dispatch, task_lane = @lane,
        enqueued = true, started_at = now(), error_code = NULL, error_message = NULL
    FROM picked p LEFT JOIN holder h ON true
    WHERE i.job_id = p.job_id AND i.idx = p.idx
    RETURNING i.job_id, i.idx, i.dispatch, i.claims, i.model, i.priority, i.start_tag,
        i.struck_at IS NOT NULL AS struck,
        (p.status = 'queued')::int AS was_queued,
        CASE WHEN h.status = 'queued' THEN h.task_lane ELSE p.task_lane END AS waited_on
), counted AS (
    UPDATE jobs j SET
        version = version + 1,
        queued = queued - was_queued, processing = processing + was_queued,
        started_at = coalesce(started_at, now())
    FROM claimed c WHERE j.id = c.job_id
    RETURNING j.tenant, c.*, j.version, j.status, j.started_at, j.webhook_events
), counted_turns AS (
    UPDATE turns t SET virtual = c.start_tag
    FROM counted c WHERE t.model = c.model AND t.priority = c.priority AND t.virtual < c.start_tag
), counted_tenant AS (
    UPDATE tenants t SET waiting = waiting - 1
    FROM counted c WHERE was_queued = 1 AND t.model = c.model AND t.priority = c.priority AND t.tenant = c.tenant
    RETURNING c.waited_on
), counted_lane AS (
    UPDATE lanes l SET waiting = waiting - 1 FROM counted_tenant c WHERE l.name = c.waited_on
), told AS (
    INSERT INTO webhooks (job_id, event, happened_at, version, status, next_at, handed_out_at)
    SELECT c.job_id, 'job.started', now(), c.version, c.status, now(), now()
    FROM counted c WHERE 'job.started' = ANY (c.webhook_events) AND c.started_at = now()
    ON CONFLICT DO NOTHING
), noted AS (
    INSERT INTO attempts (
        job_id, idx, number, lane, model, tenant, dispatch, started_at, ended_at, waited,
        outcome, counted, detail, finish_reason, billed, cost_micros, estimated, price_list
    )
    SELECT m.job_id, m.idx, m.claims, coalesce(m.claim_lane, m.task_lane), c.model, c.tenant, m.dispatch, m.started_at, now(),
           greatest(interval '0', m.started_at - coalesce(p.ended_at, CASE WHEN m.claims = 1 THEN m.recorded_at END, m.started_at)),
           'lost', true, '', '', false, 0, false, ''
    FROM picked m JOIN counted c ON c.job_id = m.job_id AND c.idx = m.idx
    LEFT JOIN attempts p ON p.job_id = m.job_id AND p.idx = m.idx AND p.number = m.claims - 1
    WHERE m.status = 'processing'
    ON CONFLICT DO NOTHING
    RETURNING lane, model, tenant, outcome, started_at, ended_at, waited
), added AS (
    INSERT INTO hourly AS h (
        hour, lane, model, tenant, outcome, attempts, prompt_tokens, text_tokens, thought_tokens, image_tokens,
        cost_micros, waited, ran
    )
    SELECT date_trunc('hour', now(), 'UTC'), lane, model, tenant, outcome, 1, 0, 0, 0, 0, 0,
           waited, greatest(interval '0', ended_at - started_at)
    FROM noted
    ON CONFLICT (hour, lane, model, tenant, outcome) DO UPDATE SET
        attempts = h.attempts + excluded.attempts, waited = h.waited + excluded.waited, ran = h.ran + excluded.ran
)
SELECT coalesce(c.idx, 0), coalesce(c.dispatch, 0), coalesce(c.claims, 0),
       coalesce((
           SELECT status FROM images
           WHERE task_job_id = @task_job_id AND task_idx = @task_idx AND task_dispatch = @task_dispatch
             AND status IN ('queued', 'processing')
           LIMIT 1
       ), ''), coalesce((SELECT model FROM stray), ''), coalesce(c.struck, false), EXISTS (SELECT FROM probation), p.*
FROM (VALUES (1)) AS always LEFT JOIN counted c ON true LEFT JOIN paused p ON true
