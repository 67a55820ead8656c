-- Ends that a group of errors is ignored, and writes that to the audit. Returns
-- nothing, and does nothing, if it is not ignored.
WITH noticed AS (
    DELETE FROM ignored_errors
    WHERE outcome = @outcome::text AND detail = @detail::text AND lane = @lane::text AND (until IS NULL OR until > now())
    RETURNING who
)
INSERT INTO audit (at, who, role, action, target, reason, detail)
SELECT now(), @who::text, @role::text, @action::text, @target::text, @reason::text, jsonb_build_object('ignored_by', who) FROM noticed
RETURNING id
