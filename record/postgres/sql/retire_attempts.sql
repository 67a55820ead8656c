-- Removes attempts that ended longer ago than they are kept, those that ended first first,
-- unless their image has not ended. Passes over what is locked. Returns a row for each.
WITH old AS (
    SELECT job_id, idx, number FROM attempts a
    WHERE ended_at < now() - @kept::interval
      AND (SELECT status FROM images i WHERE i.job_id = a.job_id AND i.idx = a.idx) NOT IN ('queued', 'processing')
    ORDER BY ended_at, job_id, idx, number LIMIT @limit FOR UPDATE OF a SKIP LOCKED
)
DELETE FROM attempts a USING old o
WHERE a.job_id = o.job_id AND a.idx = o.idx AND a.number = o.number
RETURNING a.number
