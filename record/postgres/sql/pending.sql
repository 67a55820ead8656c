-- Returns the tasks held by a job's waiting images that are not known to be on a
-- queue. After an exchange they may bear another image's name.
SELECT task_job_id::text, task_idx, task_dispatch, task_lane FROM images
WHERE job_id = @id AND status = 'queued' AND NOT enqueued
ORDER BY idx
