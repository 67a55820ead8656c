-- Reads the periods of budgets that have not ended, and how many images each holds, up
-- to record.MaxHeld. Finds scopes as held does.
WITH RECURSIVE scopes AS (
    (SELECT held_by FROM images WHERE status = 'queued' AND held_by IS NOT NULL ORDER BY held_by LIMIT 1)
    UNION ALL
    SELECT (SELECT i.held_by FROM images i WHERE i.status = 'queued' AND i.held_by > s.held_by ORDER BY i.held_by LIMIT 1)
    FROM scopes s WHERE s.held_by IS NOT NULL
), held AS (
    SELECT s.held_by AS scope, (
        SELECT count(*) FROM (SELECT FROM images i WHERE i.status = 'queued' AND i.held_by = s.held_by LIMIT 10000) AS of_scope
    ) AS images FROM scopes s WHERE s.held_by IS NOT NULL
), periods AS (
    SELECT scope, starts_at, ends_at, limit_micros, raised_micros, reserved_micros, spent_micros, told FROM budgets WHERE ends_at > now()
)
SELECT coalesce(c.scope, h.scope), c.starts_at, c.ends_at, coalesce(c.limit_micros, 0), coalesce(c.raised_micros, 0),
       coalesce(c.reserved_micros, 0),
       coalesce(c.spent_micros, 0), coalesce(h.images, 0), coalesce(c.told, 0)
FROM periods c FULL JOIN held h ON h.scope = c.scope ORDER BY 1, 2, 3
