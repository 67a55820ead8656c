-- Gives parked images of a model tasks on lanes, one each, in the order of turns,
-- and makes them ready. If the lanes are of another model, the images become those
-- of that, with start tags as create gives them. Runs under the locks of both
-- models. Returns the tasks.
WITH parked AS (
    SELECT job_id, idx, priority, start_tag, recorded_at FROM images
    WHERE status = 'queued' AND task_lane = '' AND model = @from
    ORDER BY priority, start_tag, recorded_at, job_id, idx
    LIMIT cardinality(@lanes::text[]) FOR UPDATE
), placed AS (
    SELECT p.job_id, p.idx, p.priority, j.tenant,
           row_number() OVER (ORDER BY p.priority, p.start_tag, p.recorded_at, p.job_id, p.idx) AS n,
           row_number() OVER (
               PARTITION BY p.priority, j.tenant ORDER BY p.start_tag, p.recorded_at, p.job_id, p.idx
           ) - 1 AS earlier
    FROM parked p JOIN jobs j ON j.id = p.job_id
), leaving AS (
    SELECT priority, tenant, count(*) AS images FROM placed WHERE @model::text <> @from::text GROUP BY priority, tenant
), left_tenants AS (
    UPDATE tenants t SET waiting = waiting - l.images
    FROM leaving l WHERE t.model = @from AND t.priority = l.priority AND t.tenant = l.tenant
    RETURNING t.priority, t.tenant, t.weight, l.images
), began AS (
    SELECT l.priority, l.tenant, l.weight, l.images,
           greatest(v.virtual, least(t.finish, v.virtual + (t.waiting + 1) / t.weight)) AS tag
    FROM left_tenants l
    CROSS JOIN LATERAL (
        SELECT coalesce(max(virtual), 0) AS virtual FROM turns WHERE model = @model AND priority = l.priority
    ) AS v
    LEFT JOIN tenants t ON t.model = @model AND t.priority = l.priority AND t.tenant = l.tenant
), counted_turns AS (
    INSERT INTO turns (model, priority) SELECT DISTINCT @model, priority FROM began ON CONFLICT DO NOTHING
), joined_tenants AS (
    INSERT INTO tenants AS t (model, priority, tenant, finish, weight, waiting)
    SELECT @model, priority, tenant, tag + images / weight, weight, images FROM began
    ON CONFLICT (model, priority, tenant) DO UPDATE SET
        finish = excluded.finish, weight = excluded.weight, waiting = t.waiting + excluded.waiting
), moved AS (
    UPDATE images i SET
        model = @model, start_tag = coalesce(b.tag + p.earlier / b.weight, i.start_tag),
        dispatch = dispatch + 1, task_job_id = i.job_id, task_idx = i.idx, task_dispatch = dispatch + 1,
        task_lane = (@lanes::text[])[p.n], handed_out_at = now(), enqueued = false, ready = true, due_at = now()
    FROM placed p LEFT JOIN began b ON b.priority = p.priority AND b.tenant = p.tenant
    WHERE i.job_id = p.job_id AND i.idx = p.idx
    RETURNING p.n, i.job_id, i.idx, i.dispatch, i.task_lane
), counted_lanes AS (
    INSERT INTO lanes AS l (name, waiting)
    SELECT name, sum(n) FROM (
        SELECT task_lane AS name, 1 AS n FROM moved UNION ALL SELECT '', -1 FROM moved
    ) AS changes
    GROUP BY name ORDER BY name
    ON CONFLICT (name) DO UPDATE SET waiting = l.waiting + excluded.waiting
)
SELECT job_id::text, idx, dispatch, task_lane FROM moved ORDER BY n
