-- Settles what a claimed image has been billed so far, and reserves the price of its
-- next attempt, with budgets as they are now. If one has no room, notes which: then
-- requeue holds the image, and that budget has reached all levels. Does nothing if the
-- claim does not hold. Runs under the locks of the image and of the budgets' periods.
-- Returns the budgets that reached a level, and records a webhook of each of these that
-- has a name for webhooks.
WITH image AS (
    SELECT job_id, idx, budgets, reserved_micros, billed_micros + @bound_micros AS billed, counted_micros FROM images
    WHERE job_id = @id AND idx = @idx AND claim = @claim AND status = 'processing'
), period AS (
    SELECT b.id, b.scope, p.webhook
    FROM unnest(@scopes::text[], @starts::timestamptz[], @ends::timestamptz[], @webhooks::text[]) AS p (scope, starts_at, ends_at, webhook)
    JOIN budgets b ON b.scope = p.scope COLLATE "C" AND b.starts_at = p.starts_at AND b.ends_at = p.ends_at
), settling AS (
    SELECT id, -i.reserved_micros AS reserved, i.billed - i.counted_micros AS spent
    FROM image i, unnest(coalesce(i.budgets, (SELECT array_agg(id) FROM period))) AS id
), full_ones AS (
    SELECT b.id, b.scope FROM image, period p JOIN budgets b ON b.id = p.id LEFT JOIN settling s ON s.id = p.id
    WHERE b.spent_micros + b.reserved_micros + coalesce(s.reserved + s.spent, 0) + @price::bigint > b.limit_micros + b.raised_micros
), full_one AS (
    SELECT scope FROM full_ones ORDER BY scope LIMIT 1
), changes AS (
    SELECT id, sum(reserved)::bigint AS reserved, sum(spent)::bigint AS spent FROM (
        SELECT id, reserved, spent FROM settling
        UNION ALL
        SELECT p.id, @price, 0 FROM image, period p WHERE NOT EXISTS (SELECT FROM full_one)
        UNION ALL
        SELECT id, 0, 0 FROM full_ones
    ) AS c GROUP BY id
), moved AS (
    UPDATE images i SET
        counted_micros = o.billed, price_micros = @price,
        reserved_micros = CASE WHEN EXISTS (SELECT FROM full_one) THEN 0 ELSE @price END,
        budgets = CASE WHEN EXISTS (SELECT FROM full_one) THEN i.budgets ELSE (SELECT array_agg(id ORDER BY scope) FROM period) END,
        held_by = (SELECT scope FROM full_one)
    FROM image o WHERE i.job_id = o.job_id AND i.idx = o.idx
), reserved AS (
    UPDATE budgets b SET
        reserved_micros = o.reserved_micros + c.reserved, spent_micros = o.spent_micros + c.spent,
        told = greatest(o.told, (
            SELECT max(level) FROM unnest(@levels::int[]) AS level
            WHERE o.id IN (SELECT id FROM full_ones)
               OR (o.spent_micros + o.reserved_micros + c.spent + c.reserved) * 100 >= (o.limit_micros + o.raised_micros) * level
                  AND o.id IN (SELECT id FROM period) AND NOT EXISTS (SELECT FROM full_one)
        ))
    FROM changes c JOIN budgets o ON o.id = c.id WHERE b.id = c.id
    RETURNING b.id, b.scope, b.starts_at, b.ends_at, b.limit_micros, b.raised_micros, b.reserved_micros, b.spent_micros,
        CASE WHEN b.told > o.told THEN b.told END AS level
), told AS (
    INSERT INTO budget_webhooks (id, budget, level, limit_micros, raised_micros, reserved_micros, spent_micros,
                                 happened_at, next_at, handed_out_at)
    SELECT p.webhook || '_' || r.level || '_' || (r.limit_micros + r.raised_micros),
           r.id, r.level, r.limit_micros, r.raised_micros, r.reserved_micros, r.spent_micros, now(), now(), now()
    FROM reserved r JOIN period p ON p.id = r.id WHERE r.level IS NOT NULL AND p.webhook <> ''
    ON CONFLICT DO NOTHING
)
SELECT coalesce(json_agg(json_build_object(
    'scope', scope, 'from', starts_at, 'to', ends_at, 'limit_micros', limit_micros, 'raised_micros', raised_micros,
    'reserved_micros', reserved_micros, 'spent_micros', spent_micros, 'level', level
) ORDER BY scope, starts_at), '[]')::text FROM reserved WHERE level IS NOT NULL
