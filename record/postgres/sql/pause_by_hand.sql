-- Pauses a lane by hand, and writes that to the audit. Returns nothing, and does
-- nothing, if it is paused by hand already.
WITH paused AS (
    INSERT INTO lanes AS l (name, hand_paused_at, hand_paused_by, hand_paused_reason)
    VALUES (@lane::text, now(), @who::text, @reason::text)
    ON CONFLICT (name) DO UPDATE SET
        hand_paused_at = excluded.hand_paused_at,
        hand_paused_by = excluded.hand_paused_by,
        hand_paused_reason = excluded.hand_paused_reason
    WHERE l.hand_paused_at IS NULL
    RETURNING name
)
INSERT INTO audit (at, who, role, action, target, reason)
SELECT now(), @who, @role, @action, name, @reason FROM paused
RETURNING id
