-- Takes the lock of the model of a task's holder; see lock.go.
SELECT pg_advisory_xact_lock(1, hashtext(model))::text FROM images
WHERE task_job_id = @task_job_id AND task_idx = @task_idx AND task_dispatch = @task_dispatch
      AND status IN ('queued', 'processing')
