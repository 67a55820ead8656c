-- Reads the lanes. The one without a name is of parked images, and
-- '(held)' of held ones.
SELECT name, waiting, paused_until, broken, reason_code, reason_message, paused_since,
       hand_paused_at, hand_paused_by, hand_paused_reason
FROM lanes WHERE name NOT IN ('', '(held)') ORDER BY name COLLATE "C"
