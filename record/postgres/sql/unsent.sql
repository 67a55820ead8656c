-- Returns tasks that are not known to be on a queue, and stamps the images that
-- hold them, so that they are not found again until another age has passed.
-- Passes over what is locked, and so waits for nobody and needs no model's lock.
WITH found AS (
    SELECT job_id, idx, handed_out_at AS since FROM images
    WHERE status = 'queued' AND NOT enqueued AND handed_out_at <= now() - @age::interval
    ORDER BY handed_out_at, job_id, idx
    LIMIT @limit FOR UPDATE SKIP LOCKED
), stamped AS (
    UPDATE images i SET handed_out_at = now()
    FROM found f WHERE i.job_id = f.job_id AND i.idx = f.idx
    RETURNING f.since, i.job_id, i.idx, i.task_job_id, i.task_idx, i.task_dispatch, i.task_lane
)
SELECT task_job_id::text, task_idx, task_dispatch, task_lane FROM stamped ORDER BY since, job_id, idx
