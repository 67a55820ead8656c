-- Writes a job and its images, and gives them their turns. Where the idempotency
-- key is taken, or a retry of the same job has not ended, it writes nothing: a
-- second call that runs at the same time waits for the first one's end. Nor does
-- it where too many of the tenant's images would wait, or a budget refuses. Returns
-- one row in any case: whether it wrote, how many images of the tenant waited before,
-- the budget that refused, and the budgets that reached a level. Records a webhook of
-- each of these that has a name for webhooks. Runs under the locks
-- of the tenant, without which two jobs could take the same room, of the model,
-- without which two jobs of one tenant could begin at the same tag, and of the
-- budgets' periods.
--
-- Each image reserves its price with all budgets. Those past what fits are held, and so
-- are all while others are held by one of the budgets: they come first. A held image
-- holds no task, as a parked one. A budget that has no room for one more has reached
-- all levels. So has one that refuses, and has none for the first.
--
-- The first start tag is the tenant's finish tag, or the virtual time if that is
-- greater. A finish tag that is further away than the images explain that still
-- wait is one of images that were canceled or expired. An image without a lane is
-- parked, as park does it.
WITH before AS (
    SELECT coalesce(sum(waiting), 0)::bigint AS waiting FROM tenants WHERE tenant = @tenant
), period AS (
    SELECT b.id, b.scope, b.limit_micros + b.raised_micros AS allowed, b.reserved_micros, b.spent_micros, b.starts_at, b.ends_at, b.told, p.refuse, p.webhook,
           greatest(0, b.limit_micros + b.raised_micros - b.spent_micros - b.reserved_micros) / nullif(@price::bigint, 0) AS room,
           EXISTS (SELECT FROM images i WHERE i.status = 'queued' AND i.held_by = p.scope) AS behind
    FROM unnest(@scopes::text[], @starts::timestamptz[], @ends::timestamptz[], @refuses::boolean[], @webhooks::text[])
         AS p (scope, starts_at, ends_at, refuse, webhook)
    JOIN budgets b ON b.scope = p.scope COLLATE "C" AND b.starts_at = p.starts_at AND b.ends_at = p.ends_at
), fitting AS (
    SELECT scope, refuse, CASE WHEN behind THEN 0 ELSE room END AS fit FROM period
), refused AS (
    SELECT scope FROM fitting WHERE refuse AND fit < @total::integer ORDER BY scope LIMIT 1
), fits AS (
    SELECT least(@total, (SELECT min(fit) FROM fitting)) AS n,
           (SELECT scope FROM fitting ORDER BY fit, scope LIMIT 1) AS held_by
), created AS (
    INSERT INTO jobs (id, tenant, priority, input, metadata, idempotency_key, fingerprint, total, queued,
                      created_at, expires_at, search_text, retry_of, webhook_events)
    SELECT @id, @tenant, @priority, @input, @metadata, nullif(@idempotency_key, ''), @fingerprint, @total::integer, @total,
           now(), now() + @expires_in::interval, @search_text, @retry_of, @webhook_events::text[]
    FROM before WHERE (@max_waiting::bigint = 0 OR waiting + @total <= @max_waiting) AND NOT EXISTS (SELECT FROM refused)
    ON CONFLICT DO NOTHING
    RETURNING id, created_at, expires_at
), described AS (
    INSERT INTO job_metadata (job_id, key, value, tenant, created_at)
    SELECT id, key, value, @tenant, created_at FROM created, unnest(@keys::text[], @values::text[]) AS of_job (key, value)
), reserved AS (
    UPDATE budgets b SET
        reserved_micros = p.reserved_micros + CASE WHEN c.recorded THEN f.n * @price ELSE 0 END,
        told = greatest(p.told, (
            SELECT max(level) FROM unnest(@levels::int[]) AS level
            WHERE (p.spent_micros + p.reserved_micros + f.n * @price) * 100 >= p.allowed * level
               OR p.room = f.n AND f.n < @total
        ))
    FROM period p, fits f, (SELECT EXISTS (SELECT FROM created) AS recorded) AS c
    WHERE b.id = p.id AND (c.recorded OR p.refuse AND p.room = 0 AND p.told < (SELECT max(level) FROM unnest(@levels::int[]) AS level))
    RETURNING b.id, b.scope, b.starts_at, b.ends_at, b.limit_micros, b.raised_micros, b.reserved_micros, b.spent_micros,
        CASE WHEN b.told > p.told THEN b.told END AS level
), told AS (
    INSERT INTO budget_webhooks (id, budget, level, limit_micros, raised_micros, reserved_micros, spent_micros,
                                 happened_at, next_at, handed_out_at)
    SELECT p.webhook || '_' || r.level || '_' || (r.limit_micros + r.raised_micros),
           r.id, r.level, r.limit_micros, r.raised_micros, r.reserved_micros, r.spent_micros, now(), now(), now()
    FROM reserved r JOIN period p ON p.id = r.id WHERE r.level IS NOT NULL AND p.webhook <> ''
    ON CONFLICT DO NOTHING
), began AS (
    SELECT greatest(v.virtual, least(t.finish, v.virtual + (t.waiting + 1) / t.weight)) AS tag
    FROM created, (SELECT count(*) FROM reserved) AS budgets_first
    CROSS JOIN LATERAL (
        SELECT coalesce(max(virtual), 0) AS virtual FROM turns WHERE model = @model AND priority = @priority
    ) AS v
    LEFT JOIN tenants t ON t.model = @model AND t.priority = @priority AND t.tenant = @tenant
), counted_turns AS (
    INSERT INTO turns (model, priority) SELECT @model, @priority FROM created ON CONFLICT DO NOTHING
), counted_tenant AS (
    INSERT INTO tenants AS t (model, priority, tenant, finish, weight, waiting)
    SELECT @model, @priority, @tenant, tag + @total::integer / @weight::float8, @weight, @total FROM began
    ON CONFLICT (model, priority, tenant) DO UPDATE SET
        finish = excluded.finish, weight = excluded.weight, waiting = t.waiting + excluded.waiting
    RETURNING tenant
), destined AS (
    SELECT o.n, o.n > fits.n AS held, CASE WHEN o.n > fits.n THEN '(held)' ELSE lane END AS name
    FROM fits, unnest(@lanes::text[]) WITH ORDINALITY AS o (lane, n)
), counted_lanes AS (
    INSERT INTO lanes AS l (name, waiting)
    SELECT name, count(*) FROM counted_tenant, destined GROUP BY name ORDER BY name
    ON CONFLICT (name) DO UPDATE SET waiting = l.waiting + excluded.waiting
), placed AS (
    INSERT INTO images (job_id, idx, model, priority, recorded_at, expires_at, start_tag,
                        task_job_id, task_idx, task_dispatch, task_lane, handed_out_at,
                        dispatch, enqueued, ready, due_at, price_micros, held_by, reserved_micros, budgets)
    SELECT created.id, n - 1, @model, @priority, created_at, expires_at, tag + (n - 1) / @weight::float8,
           created.id, n - 1, has_task::int, name, created_at,
           has_task::int, NOT has_task, has_task, CASE WHEN has_task THEN created_at ELSE expires_at END,
           @price, CASE WHEN held THEN (SELECT held_by FROM fits) END, CASE WHEN held OR budgets IS NULL THEN 0 ELSE @price END,
           CASE WHEN NOT held THEN budgets END
    FROM created, began, destined CROSS JOIN LATERAL (SELECT name NOT IN ('', '(held)') AS has_task) AS task
    CROSS JOIN (SELECT array_agg(id ORDER BY scope) AS budgets FROM period) AS reserving
)
SELECT EXISTS (SELECT FROM created), waiting, coalesce((SELECT scope FROM refused), ''),
       (SELECT coalesce(json_agg(json_build_object(
           'scope', scope, 'from', starts_at, 'to', ends_at, 'limit_micros', limit_micros, 'raised_micros', raised_micros,
           'reserved_micros', reserved_micros, 'spent_micros', spent_micros, 'level', level
       ) ORDER BY scope), '[]')::text FROM reserved WHERE level IS NOT NULL)
FROM before
