-- Tells what waits of each tenant, the one with the most first: record.MaxTenants
-- of them, and how many there are. Counts the tenants' counters. The oldest job is
-- the first in one of two parts of an index: of jobs that have not begun, and of
-- those that have, which are few.
SELECT t.tenant, t.waiting, now() - least(
    (SELECT created_at FROM jobs WHERE tenant = t.tenant AND status = 'queued' ORDER BY created_at LIMIT 1),
    (SELECT created_at FROM jobs WHERE tenant = t.tenant AND status = 'processing' AND queued > 0 ORDER BY created_at LIMIT 1)
), t.tenants
FROM (
    SELECT tenant, sum(waiting)::bigint AS waiting, count(*) OVER () AS tenants
    FROM tenants GROUP BY tenant HAVING sum(waiting) > 0
    ORDER BY sum(waiting) DESC, tenant COLLATE "C" LIMIT 50
) AS t ORDER BY t.waiting DESC, t.tenant COLLATE "C"
