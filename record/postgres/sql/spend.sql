-- Sums what attempts came to by the hour, by the day of a time zone, or as a whole, and
-- by any of lane, model, tenant and outcome.
SELECT CASE WHEN @zone::text = '' AND NOT @whole::boolean THEN hour END,
       CASE WHEN @zone::text <> '' AND NOT @whole THEN (hour AT TIME ZONE nullif(@zone::text, ''))::date END AS day,
       CASE WHEN @by_lane::boolean THEN lane ELSE '' END AS of_lane, CASE WHEN @by_model::boolean THEN model ELSE '' END AS of_model,
       CASE WHEN @by_tenant::boolean THEN tenant ELSE '' END AS of_tenant, CASE WHEN @by_outcome::boolean THEN outcome ELSE '' END AS of_outcome,
       coalesce(sum(attempts) FILTER (WHERE outcome = 'succeeded'), 0)::bigint, sum(attempts)::bigint,
       sum(prompt_tokens)::bigint, sum(text_tokens)::bigint, sum(thought_tokens)::bigint, sum(image_tokens)::bigint,
       sum(cost_micros)::bigint, coalesce(sum(cost_micros) FILTER (WHERE outcome <> 'succeeded'), 0)::bigint,
       sum(estimated_micros)::bigint, sum(waited), sum(ran)
FROM hourly WHERE hour >= @from AND hour < @to
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
LIMIT @limit
