-- Sets what is added to the limit of a period, and writes that to the audit. Makes the
-- period if nothing was reserved in it yet. Of the levels, keeps told those that what is
-- used has reached then. Returns nothing, and does nothing, if the period has ended or
-- another amount was added than expected.
WITH raised AS (
    INSERT INTO budgets AS b (scope, starts_at, ends_at, limit_micros, raised_micros)
    SELECT @scope::text, @starts::timestamptz, @ends::timestamptz, @limit::bigint, @raised::bigint
    WHERE @ends > now() AND (@was::bigint = 0 OR EXISTS (
        SELECT FROM budgets WHERE scope = @scope AND starts_at = @starts AND ends_at = @ends
    ))
    ON CONFLICT (scope, starts_at, ends_at) DO UPDATE SET
        raised_micros = excluded.raised_micros,
        told = least(b.told, (
            SELECT coalesce(max(level), 0) FROM unnest(@levels::int[]) AS level
            WHERE (b.spent_micros + b.reserved_micros) * 100 >= (b.limit_micros + excluded.raised_micros) * level
        ))
    WHERE b.raised_micros = @was
    RETURNING scope
)
INSERT INTO audit (at, who, role, action, target, reason, detail)
SELECT now(), @who::text, @role::text, @action::text, scope, @reason::text, @about::text::jsonb FROM raised
RETURNING id
