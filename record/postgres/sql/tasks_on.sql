-- Finds tasks on a lane whose images are of a model and wait for no later time, the
-- last of the turns first.
SELECT task_job_id::text, task_idx, task_dispatch, task_lane FROM images
WHERE status = 'queued' AND task_lane = @lane AND model = @model AND (ready OR due_at <= now())
ORDER BY priority DESC, start_tag DESC, recorded_at DESC, job_id DESC, idx DESC
LIMIT @limit
