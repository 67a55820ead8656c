-- Ends the pause of a lane that was over when an image was claimed. Returns
-- whether the lane was paused again since. No image is claimed during a pause,
-- so one that ends after the claim also began after it.
WITH resumed AS (
    UPDATE lanes SET
        paused_until = NULL, paused_since = NULL, broken = false, reason_code = NULL, reason_message = NULL
    WHERE name = @lane AND paused_until <= @claimed::timestamptz
)
SELECT EXISTS (SELECT FROM lanes WHERE name = @lane AND paused_until > @claimed::timestamptz)
