-- Gives the queued image of a model that holds a task the task of its next
-- dispatch. One whose time has come with the task that it gives away waits for it
-- no longer. If the lane is of another model, the image becomes one of that, with
-- a start tag as create gives it. Runs under the locks of both models. Returns one
-- row in any case: what the image that holds the task is, its model, and its next
-- task if it was given one.
WITH held AS (
    SELECT job_id, idx, status, model, priority, task_lane FROM images
    WHERE task_job_id = @task_job_id AND task_idx = @task_idx AND task_dispatch = @task_dispatch
      AND status IN ('queued', 'processing')
    LIMIT 1 FOR UPDATE
), leaving AS (
    SELECT h.priority, j.tenant FROM held h JOIN jobs j ON j.id = h.job_id
    WHERE h.status = 'queued' AND h.model = @from AND @model::text <> @from::text
), left_tenant AS (
    UPDATE tenants t SET waiting = waiting - 1
    FROM leaving l WHERE t.model = @from AND t.priority = l.priority AND t.tenant = l.tenant
    RETURNING t.priority, t.tenant, t.weight
), began AS (
    SELECT l.priority, l.tenant, l.weight,
           greatest(v.virtual, least(t.finish, v.virtual + (t.waiting + 1) / t.weight)) AS tag
    FROM left_tenant l
    CROSS JOIN LATERAL (
        SELECT coalesce(max(virtual), 0) AS virtual FROM turns WHERE model = @model AND priority = l.priority
    ) AS v
    LEFT JOIN tenants t ON t.model = @model AND t.priority = l.priority AND t.tenant = l.tenant
), counted_turns AS (
    INSERT INTO turns (model, priority) SELECT @model, priority FROM began ON CONFLICT DO NOTHING
), joined_tenant AS (
    INSERT INTO tenants AS t (model, priority, tenant, finish, weight, waiting)
    SELECT @model, priority, tenant, tag + 1 / weight, weight, 1 FROM began
    ON CONFLICT (model, priority, tenant) DO UPDATE SET
        finish = excluded.finish, weight = excluded.weight, waiting = t.waiting + excluded.waiting
), moved AS (
    UPDATE images i SET
        model = @model, start_tag = coalesce((SELECT tag FROM began), start_tag),
        dispatch = dispatch + 1, task_job_id = i.job_id, task_idx = i.idx, task_dispatch = dispatch + 1,
        task_lane = @lane, handed_out_at = now(), enqueued = false, ready = ready OR due_at <= now()
    FROM held h WHERE i.job_id = h.job_id AND i.idx = h.idx AND h.status = 'queued' AND h.model = @from
    RETURNING i.job_id, i.idx, i.dispatch, h.task_lane AS from_lane
), counted_lanes AS (
    INSERT INTO lanes AS l (name, waiting)
    SELECT name, sum(n) FROM (
        SELECT from_lane AS name, -1 AS n FROM moved UNION ALL SELECT @lane, 1 FROM moved
    ) AS changes
    GROUP BY name ORDER BY name
    ON CONFLICT (name) DO UPDATE SET waiting = l.waiting + excluded.waiting
)
SELECT coalesce(h.status, ''), coalesce(h.model, ''), coalesce(m.job_id::text, ''), coalesce(m.idx, 0), coalesce(m.dispatch, 0)
FROM (VALUES (1)) AS always LEFT JOIN held h ON true LEFT JOIN moved m ON true
