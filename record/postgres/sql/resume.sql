-- Ends the pause of a lane that was over when an image was claimed, and notes
-- that the lane was in order then. Returns whether it was paused again since. No
-- image is claimed during a pause, so one that ends after the claim also began
-- after it.
WITH known AS (
    SELECT name, coalesce(paused_until > @claimed::timestamptz, false) AS again FROM lanes WHERE name = @lane FOR UPDATE
)
UPDATE lanes l SET
    proved_at = greatest(l.proved_at, @claimed),
    paused_until = CASE WHEN again THEN l.paused_until END,
    paused_since = CASE WHEN again THEN l.paused_since END,
    broken = l.broken AND again,
    reason_code = CASE WHEN again THEN l.reason_code END,
    reason_message = CASE WHEN again THEN l.reason_message END
FROM known k WHERE l.name = k.name
RETURNING again
