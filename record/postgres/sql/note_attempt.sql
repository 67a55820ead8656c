-- Adds the report of a claimant to the attempt that somebody else ended, unless it
-- has one, and to the sums of its hour. An attempt that was lost, and whose picture
-- is stored, is left: the next one finds that, and reports what it cost. Returns a
-- row if it did so.
WITH noted AS (
    UPDATE attempts SET
        slot_at = @slot_at, asked_at = @asked_at, answered_at = @answered_at, detail = @detail, finish_reason = @finish_reason,
        prompt_tokens = @prompt_tokens, text_tokens = @text_tokens, thought_tokens = @thought_tokens,
        image_tokens = @image_tokens, total_tokens = @total_tokens,
        billed = @billed, cost_micros = @attempt_micros, estimated = @estimated, price_list = @price_list
    WHERE job_id = @id AND idx = @idx AND number = @number AND asked_at IS NULL
      AND @asked_at::timestamptz IS NOT NULL AND NOT (@stored AND outcome = 'lost')
    RETURNING ended_at, lane, model, tenant, outcome, prompt_tokens, text_tokens, thought_tokens, image_tokens, cost_micros
)
INSERT INTO hourly AS h (
    hour, lane, model, tenant, outcome, attempts, prompt_tokens, text_tokens, thought_tokens, image_tokens,
    cost_micros, waited, ran
)
SELECT date_trunc('hour', ended_at, 'UTC'), lane, model, tenant, outcome, 0, coalesce(prompt_tokens, 0),
       coalesce(text_tokens, 0), coalesce(thought_tokens, 0), coalesce(image_tokens, 0), cost_micros,
       interval '0', interval '0'
FROM noted
ON CONFLICT (hour, lane, model, tenant, outcome) DO UPDATE SET
    prompt_tokens = h.prompt_tokens + excluded.prompt_tokens, text_tokens = h.text_tokens + excluded.text_tokens,
    thought_tokens = h.thought_tokens + excluded.thought_tokens, image_tokens = h.image_tokens + excluded.image_tokens,
    cost_micros = h.cost_micros + excluded.cost_micros
RETURNING h.outcome
