-- Reserves the price of a held image and parks it. If a budget has no room, notes
-- which. Runs under the locks of the model and of the budgets' periods. Returns one
-- row in any case: whether the image is held, the scope without room, and the budgets
-- that reached a level. Records a webhook of each of these that has a name for webhooks.
WITH image AS (
    SELECT job_id, idx, price_micros FROM images
    WHERE job_id = @id AND idx = @idx AND status = 'queued' AND held_by IS NOT NULL FOR UPDATE
), period AS (
    SELECT b.id, b.scope, b.spent_micros, b.reserved_micros, b.limit_micros + b.raised_micros AS allowed, b.told, p.webhook
    FROM unnest(@scopes::text[], @starts::timestamptz[], @ends::timestamptz[], @webhooks::text[]) AS p (scope, starts_at, ends_at, webhook)
    JOIN budgets b ON b.scope = p.scope COLLATE "C" AND b.starts_at = p.starts_at AND b.ends_at = p.ends_at
), full_ones AS (
    SELECT id, scope FROM image, period WHERE spent_micros + reserved_micros + price_micros > allowed
), full_one AS (
    SELECT scope FROM full_ones ORDER BY scope LIMIT 1
), reserved AS (
    UPDATE budgets b SET
        reserved_micros = p.reserved_micros + CASE WHEN EXISTS (SELECT FROM full_one) THEN 0 ELSE i.price_micros END,
        told = greatest(p.told, (
            SELECT max(level) FROM unnest(@levels::int[]) AS level
            WHERE (p.spent_micros + p.reserved_micros + i.price_micros) * 100 >= p.allowed * level
        ))
    FROM period p, image i WHERE b.id = p.id AND (NOT EXISTS (SELECT FROM full_one) OR p.id IN (SELECT id FROM full_ones))
    RETURNING b.id, b.scope, b.starts_at, b.ends_at, b.limit_micros, b.raised_micros, b.reserved_micros, b.spent_micros,
        CASE WHEN b.told > p.told THEN b.told END AS level
), told AS (
    INSERT INTO budget_webhooks (id, budget, level, limit_micros, raised_micros, reserved_micros, spent_micros,
                                 happened_at, next_at, handed_out_at)
    SELECT p.webhook || '_' || r.level || '_' || (r.limit_micros + r.raised_micros),
           r.id, r.level, r.limit_micros, r.raised_micros, r.reserved_micros, r.spent_micros, now(), now(), now()
    FROM reserved r JOIN period p ON p.id = r.id WHERE r.level IS NOT NULL AND p.webhook <> ''
    ON CONFLICT DO NOTHING
), relabeled AS (
    UPDATE images i SET held_by = f.scope FROM image o, full_one f WHERE i.job_id = o.job_id AND i.idx = o.idx
), moved AS (
    UPDATE images i SET
        held_by = NULL, task_lane = '', budgets = (SELECT array_agg(id ORDER BY scope) FROM period),
        reserved_micros = CASE WHEN EXISTS (SELECT FROM period) THEN i.price_micros ELSE 0 END, counted_micros = i.billed_micros
    FROM image o WHERE i.job_id = o.job_id AND i.idx = o.idx AND NOT EXISTS (SELECT FROM full_one)
    RETURNING i.idx
), counted_lanes AS (
    INSERT INTO lanes AS l (name, waiting)
    SELECT name, n FROM (SELECT '(held)' AS name, -1 AS n FROM moved UNION ALL SELECT '', 1 FROM moved) AS changes ORDER BY name
    ON CONFLICT (name) DO UPDATE SET waiting = l.waiting + excluded.waiting
)
SELECT EXISTS (SELECT FROM image), coalesce((SELECT scope FROM full_one), ''), (
    SELECT coalesce(json_agg(json_build_object(
        'scope', scope, 'from', starts_at, 'to', ends_at, 'limit_micros', limit_micros, 'raised_micros', raised_micros,
        'reserved_micros', reserved_micros, 'spent_micros', spent_micros, 'level', level
    ) ORDER BY scope), '[]')::text FROM reserved WHERE level IS NOT NULL
)
