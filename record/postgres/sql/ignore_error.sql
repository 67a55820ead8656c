-- Ignores a group of errors, in place of what was kept of it, and writes that to the
-- audit. Removes what was ignored until a time that has come. Runs under the lock of
-- lock_ignored: another call could be writing what this one removes.
WITH past AS (
    DELETE FROM ignored_errors
    WHERE until <= now() AND (outcome, detail, lane) <> (@outcome::text, @detail::text, @lane::text)
), kept AS (
    INSERT INTO ignored_errors (outcome, detail, lane, until, above, at, who, reason)
    VALUES (@outcome, @detail, @lane, @until::timestamptz, @above::integer, now(), @who::text, @reason::text)
    ON CONFLICT (outcome, detail, lane) DO UPDATE SET
        until = excluded.until, above = excluded.above, at = excluded.at, who = excluded.who, reason = excluded.reason
)
INSERT INTO audit (at, who, role, action, target, reason, detail)
VALUES (now(), @who, @role::text, @action::text, @target::text, @reason, @about::text::jsonb)
RETURNING id
