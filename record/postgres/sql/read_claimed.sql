-- Reads the job of the image that a claim has just taken, as read_job does.
SELECT j.id, j.tenant, j.version, j.status, j.priority,
       CASE WHEN i.idx = 0 THEN j.input END AS input, CASE WHEN i.idx = 0 THEN j.metadata END AS metadata,
       j.created_at, j.started_at, j.completed_at, j.expires_at,
       i.idx, i.status, i.attempts, i.status = 'queued' AND i.task_lane = '' AS parked,
       CASE WHEN i.status = 'queued' AND NOT i.ready AND i.task_lane NOT IN ('', '(held)') THEN i.due_at END AS not_before,
       coalesce(i.object_key, ''), coalesce(i.content_type, ''), coalesce(i.width, 0), coalesce(i.height, 0),
       coalesce(i.bytes, 0), coalesce(i.sha256, ''), coalesce(i.model_version, ''), i.cost_micros, coalesce(i.bound_micros, i.cost_micros), i.billed_micros,
       CASE WHEN i.status = 'queued' THEN coalesce(i.held_by, '') ELSE '' END AS held_by,
       CASE WHEN i.status IN ('queued', 'processing') THEN greatest(0, i.reserved_micros - (i.billed_micros - i.counted_micros)) ELSE 0 END AS reserved,
       i.error_code, coalesce(i.error_message, ''), i.started_at, i.completed_at
FROM jobs j JOIN images i ON i.job_id = j.id
WHERE j.id = (
    SELECT job_id FROM images
    WHERE task_job_id = @task_job_id AND task_idx = @task_idx AND task_dispatch = @task_dispatch
      AND status IN ('queued', 'processing')
      AND claim = @claim
)
ORDER BY i.idx
