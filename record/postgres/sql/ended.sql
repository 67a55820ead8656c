-- Counts the jobs that ended of late, by their status: the latest @jobs of them.
-- Tells whether there were more.
SELECT status, count(*) FILTER (WHERE n <= @jobs::int), bool_or(n > @jobs::int) FROM (
    SELECT status, row_number() OVER (ORDER BY completed_at DESC, id DESC) AS n FROM (
        SELECT status, completed_at, id FROM jobs WHERE completed_at > now() - @since::interval
        ORDER BY completed_at DESC, id DESC LIMIT @jobs::int + 1
    ) AS page
) AS ended GROUP BY status
