-- Notes that a try to log in succeeded, and writes that to the audit.
WITH passed AS (
    DELETE FROM login_tries WHERE id = @id
)
INSERT INTO audit (at, who, role, action, target, reason) VALUES (now(), @who, @role, @action, '', @reason)
RETURNING id
