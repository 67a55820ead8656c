-- Ends a claimed image with its stored picture. Returns a row if the claim held.
-- Records what the job's receiver is told of. Settles the image's reservation, after
-- the job and before the sums of the hour; see lock.go.
WITH moved AS (
    UPDATE images SET
        status = 'succeeded', completed_at = now(),
        object_key = @object_key, content_type = @content_type, width = @width, height = @height,
        bytes = @bytes, sha256 = @sha256, model_version = @model_version, cost_micros = @attempt_micros,
        bound_micros = @bound_micros, settled = true
    WHERE job_id = @id AND idx = @idx AND claim = @claim AND status = 'processing'
    RETURNING job_id, idx, claims, coalesce(claim_lane, task_lane) AS lane, model, dispatch, started_at, recorded_at,
        budgets, reserved_micros, billed_micros, counted_micros
), counted AS (
    UPDATE jobs SET
        version = version + 1, processing = processing - 1, succeeded = succeeded + 1,
        completed_at = CASE WHEN queued + processing = 1 THEN now() END
    FROM moved WHERE id = job_id
    RETURNING id, tenant, version, status, webhook_events
), due AS (
    SELECT budget AS id, reserved_micros AS reserved, @bound_micros + billed_micros - counted_micros AS spent
    FROM moved m JOIN counted c ON c.id = m.job_id CROSS JOIN unnest(m.budgets) AS budget
), locked AS (
    SELECT b.id FROM budgets b JOIN due ON due.id = b.id ORDER BY b.scope, b.starts_at, b.ends_at FOR UPDATE OF b
), settled AS (
    UPDATE budgets b SET reserved_micros = b.reserved_micros - due.reserved, spent_micros = b.spent_micros + due.spent
    FROM locked JOIN due ON due.id = locked.id WHERE b.id = locked.id
    RETURNING b.id
), told AS (
    INSERT INTO webhooks (job_id, event, image_index, happened_at, version, status, next_at, handed_out_at)
    SELECT c.id, e.event, e.idx, now(), c.version, c.status, now(), now()
    FROM counted c CROSS JOIN LATERAL (VALUES ('image.succeeded', @idx::integer), ('job.' || c.status, NULL)) AS e (event, idx)
    WHERE e.event = ANY (c.webhook_events)
    ON CONFLICT DO NOTHING
), noted AS (
    INSERT INTO attempts (
        job_id, idx, number, lane, model, tenant, dispatch, slot_at, started_at, asked_at, answered_at, ended_at, waited,
        outcome, counted, detail, finish_reason, prompt_tokens, text_tokens, thought_tokens, image_tokens, total_tokens,
        billed, cost_micros, estimated, price_list
    )
    SELECT m.job_id, m.idx, m.claims, m.lane, m.model, c.tenant, m.dispatch, @slot_at, m.started_at, @asked_at, @answered_at,
           now(), greatest(interval '0', m.started_at - coalesce(p.ended_at, CASE WHEN m.claims = 1 THEN m.recorded_at END, m.started_at)),
           'succeeded', true, @detail, @finish_reason,
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
    FROM noted, (SELECT count(*) FROM settled) AS budgets_first
    ON CONFLICT (hour, lane, model, tenant, outcome) DO UPDATE SET
        attempts = h.attempts + excluded.attempts, prompt_tokens = h.prompt_tokens + excluded.prompt_tokens,
        text_tokens = h.text_tokens + excluded.text_tokens, thought_tokens = h.thought_tokens + excluded.thought_tokens,
        image_tokens = h.image_tokens + excluded.image_tokens, cost_micros = h.cost_micros + excluded.cost_micros,
        estimated_micros = h.estimated_micros + excluded.estimated_micros,
        waited = h.waited + excluded.waited, ran = h.ran + excluded.ran
)
SELECT version FROM counted
