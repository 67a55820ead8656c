-- Reads the lanes that no image may start on now.
SELECT name, paused_until, coalesce(reason_code, ''), hand_paused_at IS NOT NULL
FROM lanes WHERE paused_until > now() OR hand_paused_at IS NOT NULL ORDER BY name COLLATE "C"
