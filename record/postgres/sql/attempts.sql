-- Reads the attempts of a job that have ended, by image and number.
SELECT idx, number, lane, model, tenant, dispatch, slot_at, started_at, asked_at, answered_at, ended_at, waited,
       outcome, counted, detail, finish_reason, prompt_tokens, text_tokens, thought_tokens, image_tokens, total_tokens,
       billed, cost_micros, estimated, price_list
FROM attempts WHERE job_id = @id ORDER BY idx, number
