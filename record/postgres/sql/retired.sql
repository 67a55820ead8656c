-- Reads the jobs that ended long ago, the oldest first, as read_job does.
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
FROM (
    SELECT id FROM jobs WHERE completed_at <= now() - @age::interval ORDER BY completed_at, id LIMIT @limit
) AS page JOIN jobs j ON j.id = page.id JOIN images i ON i.job_id = j.id
ORDER BY j.completed_at, j.id, i.idx
