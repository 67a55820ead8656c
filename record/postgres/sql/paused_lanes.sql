-- Reads the lanes that no image may start on now.
SELECT name, paused_until, coalesce(reason_code, '') FROM lanes WHERE paused_until > now() ORDER BY name COLLATE "C"
