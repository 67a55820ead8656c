-- Takes the locks of periods of budgets, and of those that an image is reserved with,
-- and notes limits; see lock.go.
WITH named AS (
    SELECT b.id, p.limit_micros
    FROM unnest(@scopes::text[], @starts::timestamptz[], @ends::timestamptz[], @limits::bigint[]) AS p (scope, starts_at, ends_at, limit_micros)
    JOIN budgets b ON b.scope = p.scope COLLATE "C" AND b.starts_at = p.starts_at AND b.ends_at = p.ends_at
), wanted AS (
    SELECT id FROM named UNION SELECT unnest(budgets) FROM images WHERE job_id = @id AND idx = @idx
), locked AS (
    SELECT b.id FROM budgets b JOIN wanted w ON w.id = b.id ORDER BY b.scope, b.starts_at, b.ends_at FOR UPDATE OF b
), noted AS (
    UPDATE budgets b SET limit_micros = n.limit_micros, told = least(b.told, (
        SELECT coalesce(max(level), 0) FROM unnest(@levels::int[]) AS level
        WHERE (b.spent_micros + b.reserved_micros) * 100 >= (n.limit_micros + b.raised_micros) * level
    ))
    FROM locked l JOIN named n ON n.id = l.id WHERE b.id = l.id AND b.limit_micros <> n.limit_micros
)
SELECT count(*) FROM locked
