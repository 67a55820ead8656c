-- Adds the report of a claimant to the attempt that somebody else ended, unless it
-- has one, and to the sums of its hour. An attempt that was lost, and whose picture
-- is stored, is left: the next one finds that, and reports what it cost. Returns a
-- row if it did so.
--
-- If the image ended with its latest attempt, and has a reservation left, settles that,
-- also if no request was sent. Otherwise what the attempt was billed is taken from the
-- image's reservation, as far as there is one.
WITH image AS (
    SELECT job_id, idx, claims, status, budgets, reserved_micros, settled, billed_micros - counted_micros AS uncounted FROM images
    WHERE job_id = @id AND idx = @idx FOR UPDATE
), noted AS (
    UPDATE attempts a SET
        slot_at = @slot_at, asked_at = @asked_at, answered_at = @answered_at, detail = @detail, finish_reason = @finish_reason,
        prompt_tokens = @prompt_tokens, text_tokens = @text_tokens, thought_tokens = @thought_tokens,
        image_tokens = @image_tokens, total_tokens = @total_tokens,
        billed = @billed, cost_micros = @attempt_micros, estimated = @estimated, price_list = @price_list
    FROM image i
    WHERE a.job_id = i.job_id AND a.idx = i.idx AND a.number = @number AND a.asked_at IS NULL
      AND @asked_at::timestamptz IS NOT NULL AND NOT (@stored AND a.outcome = 'lost')
    RETURNING ended_at, lane, model, tenant, outcome, prompt_tokens, text_tokens, thought_tokens, image_tokens, cost_micros
), change AS (
    SELECT i.job_id, i.idx, i.budgets, closes,
           CASE WHEN closes THEN i.reserved_micros WHEN i.status IN ('queued', 'processing') THEN least(i.reserved_micros, bound) ELSE 0 END AS reserved,
           bound + CASE WHEN closes THEN i.uncounted ELSE 0 END AS spent
    FROM image i
    CROSS JOIN LATERAL (SELECT i.status IN ('canceled', 'failed') AND NOT i.settled AND i.claims = @number AS closes) AS ending
    CROSS JOIN LATERAL (SELECT CASE WHEN EXISTS (SELECT FROM noted) THEN @bound_micros::bigint ELSE 0 END AS bound) AS bill
    WHERE i.budgets IS NOT NULL AND (closes OR bound > 0)
), taken AS (
    UPDATE images i SET
        settled = c.closes,
        reserved_micros = CASE WHEN c.closes THEN i.reserved_micros ELSE i.reserved_micros - c.reserved END
    FROM change c WHERE i.job_id = c.job_id AND i.idx = c.idx AND i.settled = false
), due AS (
    SELECT budget AS id, reserved, spent FROM change, unnest(budgets) AS budget
), locked AS (
    SELECT b.id FROM budgets b JOIN due ON due.id = b.id ORDER BY b.scope, b.starts_at, b.ends_at FOR UPDATE OF b
), settled AS (
    UPDATE budgets b SET reserved_micros = b.reserved_micros - due.reserved, spent_micros = b.spent_micros + due.spent
    FROM locked JOIN due ON due.id = locked.id WHERE b.id = locked.id
    RETURNING b.id
)
INSERT INTO hourly AS h (
    hour, lane, model, tenant, outcome, attempts, prompt_tokens, text_tokens, thought_tokens, image_tokens,
    cost_micros, estimated_micros, waited, ran
)
SELECT date_trunc('hour', ended_at, 'UTC'), lane, model, tenant, outcome, 0, coalesce(prompt_tokens, 0),
       coalesce(text_tokens, 0), coalesce(thought_tokens, 0), coalesce(image_tokens, 0), cost_micros,
       CASE WHEN @estimated THEN cost_micros ELSE 0 END,
       interval '0', interval '0'
FROM noted, (SELECT count(*) FROM settled) AS budgets_first
ON CONFLICT (hour, lane, model, tenant, outcome) DO UPDATE SET
    prompt_tokens = h.prompt_tokens + excluded.prompt_tokens, text_tokens = h.text_tokens + excluded.text_tokens,
    thought_tokens = h.thought_tokens + excluded.thought_tokens, image_tokens = h.image_tokens + excluded.image_tokens,
    cost_micros = h.cost_micros + excluded.cost_micros,
    estimated_micros = h.estimated_micros + excluded.estimated_micros
RETURNING h.outcome
