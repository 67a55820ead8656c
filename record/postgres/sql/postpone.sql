-- Gives the queued image that holds a task the task of its next dispatch. One
-- whose time has come with the task that it gives away waits for it no longer.
-- Returns one row in any case: what the image that holds the task is, and its
-- next task if it was given one.
WITH held AS (
    SELECT job_id, idx, status, task_lane FROM images
    WHERE task_job_id = @task_job_id AND task_idx = @task_idx AND task_dispatch = @task_dispatch
      AND status IN ('queued', 'processing')
    LIMIT 1 FOR UPDATE
), moved AS (
    UPDATE images i SET
        dispatch = dispatch + 1, task_job_id = i.job_id, task_idx = i.idx, task_dispatch = dispatch + 1,
        task_lane = @lane, handed_out_at = now(), enqueued = false, ready = ready OR due_at <= now()
    FROM held h WHERE i.job_id = h.job_id AND i.idx = h.idx AND h.status = 'queued'
    RETURNING i.job_id, i.idx, i.dispatch, h.task_lane AS from_lane
), counted_lanes AS (
    INSERT INTO lanes AS l (name, waiting)
    SELECT name, sum(n) FROM (
        SELECT from_lane AS name, -1 AS n FROM moved UNION ALL SELECT @lane, 1 FROM moved
    ) AS changes
    GROUP BY name ORDER BY name
    ON CONFLICT (name) DO UPDATE SET waiting = l.waiting + excluded.waiting
)
SELECT coalesce(h.status, ''), coalesce(m.job_id::text, ''), coalesce(m.idx, 0), coalesce(m.dispatch, 0)
FROM (VALUES (1)) AS always LEFT JOIN held h ON true LEFT JOIN moved m ON true
