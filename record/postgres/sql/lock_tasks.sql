-- Takes the locks of the models of tasks; see lock.go. A task stays with one model,
-- but the image that it is named after may since have gone to another.
SELECT pg_advisory_xact_lock(1, model)::text FROM (
    SELECT DISTINCT hashtext(i.model) AS model FROM images i
    JOIN unnest(@jobs::uuid[], @idxs::int[], @dispatches::int[]) AS t (job_id, idx, dispatch)
      ON i.task_job_id = t.job_id AND i.task_idx = t.idx AND i.task_dispatch = t.dispatch
    WHERE i.status IN ('queued', 'processing')
    ORDER BY model
) AS models
