-- Returns the tasks of images that have waited long for a delivery, and stamps
-- them as unsent does.
WITH found AS (
    SELECT job_id, idx, due_at AS since FROM images
    WHERE status = 'queued' AND due_at <= now() - @age::interval AND task_lane NOT IN ('', '(held)')
    ORDER BY due_at, job_id, idx
    LIMIT @limit FOR UPDATE SKIP LOCKED
), stamped AS (
    UPDATE images i SET due_at = now()
    FROM found f WHERE i.job_id = f.job_id AND i.idx = f.idx
    RETURNING f.since, i.job_id, i.idx, i.task_job_id, i.task_idx, i.task_dispatch, i.task_lane
)
SELECT task_job_id::text, task_idx, task_dispatch, task_lane FROM stamped ORDER BY since, job_id, idx
