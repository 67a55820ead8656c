-- Tells what is reserved and spent of periods of budgets, what is added to their limits,
-- and whether images are held by them, in the order in which they are named.
SELECT coalesce(b.spent_micros + b.reserved_micros, 0), coalesce(b.raised_micros, 0),
       EXISTS (SELECT FROM images i WHERE i.status = 'queued' AND i.held_by = p.scope)
FROM unnest(@scopes::text[], @starts::timestamptz[], @ends::timestamptz[]) WITH ORDINALITY AS p (scope, starts_at, ends_at, n)
LEFT JOIN budgets b ON b.scope = p.scope COLLATE "C" AND b.starts_at = p.starts_at AND b.ends_at = p.ends_at
ORDER BY n
