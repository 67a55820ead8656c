-- Ends the pause of a lane by hand, and writes that to the audit. Returns nothing,
-- and does nothing, if there is none.
WITH known AS (
    SELECT name, hand_paused_at, hand_paused_by FROM lanes
    WHERE name = @lane AND hand_paused_at IS NOT NULL FOR UPDATE
), resumed AS (
    UPDATE lanes l SET hand_paused_at = NULL, hand_paused_by = NULL, hand_paused_reason = NULL
    FROM known k WHERE l.name = k.name
)
INSERT INTO audit (at, who, role, action, target, reason, detail)
SELECT now(), @who, @role, @action, name, @reason, jsonb_build_object(
    'paused_by', hand_paused_by,
    'paused_seconds', trunc(extract(epoch FROM now() - hand_paused_at))::bigint::text
) FROM known
RETURNING id
