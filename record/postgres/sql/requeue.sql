-- Makes a claimed image wait for its next dispatch, or for room in a budget if cover
-- found none. Then it is held: it holds no task, as a parked one. Runs under the
-- model's lock. Returns a row if the claim held.
WITH moved AS (
    UPDATE images SET
        status = 'queued', attempts = attempts - CASE WHEN @give_back THEN 1 ELSE 0 END,
        dispatch = dispatch + (held_by IS NULL)::int, task_job_id = @id, task_idx = @idx,
        task_dispatch = CASE WHEN held_by IS NULL THEN dispatch + 1 ELSE 0 END,
        task_lane = CASE WHEN held_by IS NULL THEN @lane ELSE '(held)' END,
        handed_out_at = now(), enqueued = held_by IS NOT NULL,
        ready = held_by IS NULL AND @after::interval <= interval '0',
        due_at = CASE WHEN held_by IS NULL THEN now() + @after::interval ELSE expires_at END,
        error_code = @error_code, error_message = @error_message,
        billed_micros = billed_micros + @bound_micros
    WHERE job_id = @id AND idx = @idx AND claim = @claim AND status = 'processing'
    RETURNING job_id, idx, claims, coalesce(claim_lane, task_lane) AS lane, model, dispatch - (held_by IS NULL)::int AS dispatch,
        started_at, recorded_at, priority, task_lane
), counted AS (
    UPDATE jobs j SET version = version + 1, processing = processing - 1, queued = queued + 1
    FROM moved m WHERE j.id = m.job_id
    RETURNING j.id, j.tenant, m.model, m.priority, m.task_lane
), counted_tenant AS (
    UPDATE tenants t SET waiting = waiting + 1
    FROM counted c WHERE t.model = c.model AND t.priority = c.priority AND t.tenant = c.tenant
    RETURNING c.task_lane
), counted_lane AS (
    INSERT INTO lanes AS l (name, waiting) SELECT task_lane, 1 FROM counted_tenant
    ON CONFLICT (name) DO UPDATE SET waiting = l.waiting + excluded.waiting
    RETURNING waiting
), noted AS (
    INSERT INTO attempts (
        job_id, idx, number, lane, model, tenant, dispatch, slot_at, started_at, asked_at, answered_at, ended_at, waited,
        outcome, counted, detail, finish_reason, prompt_tokens, text_tokens, thought_tokens, image_tokens, total_tokens,
        billed, cost_micros, estimated, price_list
    )
    SELECT m.job_id, m.idx, m.claims, m.lane, m.model, c.tenant, m.dispatch, @slot_at, m.started_at, @asked_at, @answered_at,
           now(), greatest(interval '0', m.started_at - coalesce(p.ended_at, CASE WHEN m.claims = 1 THEN m.recorded_at END, m.started_at)),
           coalesce(@error_code, 'given_back'), NOT @give_back, @detail, @finish_reason,
           @prompt_tokens, @text_tokens, @thought_tokens, @image_tokens, @total_tokens,
           @billed, @attempt_micros, @estimated, @price_list
    FROM moved m JOIN counted c ON c.id = m.job_id
    LEFT JOIN attempts p ON p.job_id = m.job_id AND p.idx = m.idx AND p.number = m.claims - 1
    ON CONFLICT DO NOTHING
    RETURNING lane, model, tenant, outcome, started_at, ended_at, waited,
        prompt_tokens, text_tokens, thought_tokens, image_tokens, cost_micros
), added AS (
    INSERT INTO hourly AS h (
        hour, lane, model, tenant, outcome, attempts, prompt_tokens, text_tokens, thought_tokens, image_tokens,
        cost_micros, estimated_micros, waited, ran
    )
    SELECT date_trunc('hour', ended_at, 'UTC'), lane, model, tenant, outcome, 1, coalesce(prompt_tokens, 0),
           coalesce(text_tokens, 0), coalesce(thought_tokens, 0), coalesce(image_tokens, 0), cost_micros,
           CASE WHEN @estimated THEN cost_micros ELSE 0 END,
           waited, greatest(interval '0', ended_at - started_at)
    FROM noted, (SELECT count(*) FROM counted_lane) AS lane_first
    ON CONFLICT (hour, lane, model, tenant, outcome) DO UPDATE SET
        attempts = h.attempts + excluded.attempts, prompt_tokens = h.prompt_tokens + excluded.prompt_tokens,
        text_tokens = h.text_tokens + excluded.text_tokens, thought_tokens = h.thought_tokens + excluded.thought_tokens,
        image_tokens = h.image_tokens + excluded.image_tokens, cost_micros = h.cost_micros + excluded.cost_micros,
        estimated_micros = h.estimated_micros + excluded.estimated_micros,
        waited = h.waited + excluded.waited, ran = h.ran + excluded.ran
)
SELECT waiting FROM counted_lane
