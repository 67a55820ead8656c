-- Ends the pause of a lane, if there is one.
UPDATE lanes SET
    paused_until = NULL, paused_since = NULL, broken = false, reason_code = NULL, reason_message = NULL
WHERE name = @lane AND paused_until IS NOT NULL
RETURNING name
