-- Reads what is held, but not by some scopes: of each the first ones in the order of
-- turns. Scopes are looked up one after the other, so that what is held of one costs
-- nothing to pass over.
WITH RECURSIVE scopes AS (
    (SELECT held_by FROM images WHERE status = 'queued' AND held_by IS NOT NULL ORDER BY held_by LIMIT 1)
    UNION ALL
    SELECT (SELECT i.held_by FROM images i WHERE i.status = 'queued' AND i.held_by > s.held_by ORDER BY i.held_by LIMIT 1)
    FROM scopes s WHERE s.held_by IS NOT NULL
)
SELECT i.job_id::text, i.idx, j.tenant, i.held_by
FROM scopes s CROSS JOIN LATERAL (
    SELECT job_id, idx, held_by, priority, start_tag, recorded_at FROM images
    WHERE status = 'queued' AND held_by = s.held_by
    ORDER BY priority, start_tag, recorded_at, job_id, idx LIMIT @limit
) AS i JOIN jobs j ON j.id = i.job_id
WHERE s.held_by <> ALL (@except::text[])
ORDER BY i.priority, i.start_tag, i.recorded_at, i.job_id, i.idx LIMIT @limit
