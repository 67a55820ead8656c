-- Ends a session, and writes that to the audit, unless it has ended. Also forgets
-- sessions that are past their time.
WITH ended AS (
    INSERT INTO ended_sessions AS s (id, expires) VALUES (@id::text, now() + @lasts::interval)
    ON CONFLICT (id) DO UPDATE SET expires = excluded.expires WHERE s.expires <= now()
    RETURNING id
), forgotten AS (
    DELETE FROM ended_sessions WHERE id IN (
        SELECT id FROM ended_sessions WHERE expires <= now() AND id <> @id ORDER BY expires LIMIT 100 FOR UPDATE SKIP LOCKED
    )
)
INSERT INTO audit (at, who, role, action, target, reason)
SELECT now(), @who, @role, @action, '', @reason FROM ended
RETURNING id
