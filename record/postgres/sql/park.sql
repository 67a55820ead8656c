-- Parks the queued image of a model that holds a task: it waits on no lane, until
-- its deadline, and holds no task. Dispatches are numbered from 1, so nothing ever
-- goes by the task of dispatch 0. Runs under the model's lock. Returns one row in
-- any case: what the image that holds the task is, and its model.
WITH held AS (
    SELECT job_id, idx, status, model, task_lane FROM images
    WHERE task_job_id = @task_job_id AND task_idx = @task_idx AND task_dispatch = @task_dispatch
      AND status IN ('queued', 'processing')
    LIMIT 1 FOR UPDATE
), moved AS (
    UPDATE images i SET
        task_job_id = i.job_id, task_idx = i.idx, task_dispatch = 0, task_lane = '',
        handed_out_at = now(), enqueued = true, ready = false, due_at = expires_at
    FROM held h WHERE i.job_id = h.job_id AND i.idx = h.idx AND h.status = 'queued' AND h.model = @from
    RETURNING h.task_lane AS from_lane
), counted_lanes AS (
    INSERT INTO lanes AS l (name, waiting)
    SELECT name, sum(n) FROM (
        SELECT from_lane AS name, -1 AS n FROM moved UNION ALL SELECT '', 1 FROM moved
    ) AS changes
    GROUP BY name ORDER BY name
    ON CONFLICT (name) DO UPDATE SET waiting = l.waiting + excluded.waiting
)
SELECT coalesce(h.status, ''), coalesce(h.model, '')
FROM (VALUES (1)) AS always LEFT JOIN held h ON true
