-- Pauses lanes. A pause that lasts longer stays, and so does the reason of a
-- broken lane that only has to wait as well.
INSERT INTO lanes AS l (name, paused_until, paused_since, broken, reason_code, reason_message)
SELECT DISTINCT name, now() + @for::interval, now(), @broken::boolean, @code::text, @message::text
FROM unnest(@lanes::text[]) AS name ORDER BY name
ON CONFLICT (name) DO UPDATE SET
    paused_until = excluded.paused_until,
    paused_since = coalesce(l.paused_since, excluded.paused_since),
    broken = l.broken OR excluded.broken,
    reason_code = CASE WHEN l.broken AND NOT excluded.broken THEN l.reason_code ELSE excluded.reason_code END,
    reason_message = CASE WHEN l.broken AND NOT excluded.broken THEN l.reason_message ELSE excluded.reason_message END
WHERE l.paused_until IS NULL OR l.paused_until <= excluded.paused_until
RETURNING name
