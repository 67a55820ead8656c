-- Removes bulks that ended longer ago than they are kept, those that ended first first.
-- Returns a row for each.
DELETE FROM bulks WHERE id IN (
    SELECT id FROM bulks WHERE ended_at < now() - @kept::interval
    ORDER BY ended_at, id LIMIT @limit FOR UPDATE SKIP LOCKED
) RETURNING id
