-- Records a running bulk, and writes that to the audit, unless there is one with its
-- id. Returns the audit's id then.
WITH started AS (
    INSERT INTO bulks (
        id, action, search, query, expected_jobs, expected_more, expected_pictures, expected_micros, who, role, reason, started_at, moved_at
    )
    VALUES (
        @id::uuid, @bulk_action::text, @search::text, @query::text::jsonb, @jobs::integer, @more::boolean, @pictures::integer, @micros::bigint,
        @who::text, @role::text, @reason::text, now(), now()
    )
    ON CONFLICT (id) DO NOTHING
    RETURNING id
)
INSERT INTO audit (at, who, role, action, target, reason, detail)
SELECT now(), @who, @role, @action::text, id::text, @reason, @about::text::jsonb FROM started
RETURNING id
