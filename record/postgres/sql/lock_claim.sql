-- Takes the locks of a lane's model, and of the one of the task's holder: they
-- differ once a lane was given another model. See lock.go.
SELECT pg_advisory_xact_lock(1, model)::text FROM (
    SELECT hashtext(@model) AS model
    UNION
    SELECT hashtext(model) FROM images
    WHERE task_job_id = @task_job_id AND task_idx = @task_idx AND task_dispatch = @task_dispatch
      AND status IN ('queued', 'processing')
    ORDER BY model
) AS models
