-- Makes the periods of budgets that are not there yet. Locks none that is there.
INSERT INTO budgets (scope, starts_at, ends_at, limit_micros)
SELECT scope, starts_at, ends_at, limit_micros
FROM unnest(@scopes::text[], @starts::timestamptz[], @ends::timestamptz[], @limits::bigint[]) AS p (scope, starts_at, ends_at, limit_micros)
ORDER BY scope COLLATE "C", starts_at, ends_at
ON CONFLICT DO NOTHING
RETURNING id
