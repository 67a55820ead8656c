-- Reads the lanes.
SELECT name, waiting, paused_until, broken, reason_code, reason_message, paused_since
FROM lanes ORDER BY name COLLATE "C"
