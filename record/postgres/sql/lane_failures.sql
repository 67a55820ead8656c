-- Groups the attempts of @lane that failed by outcome and words without digits, out
-- of the latest @look attempts of all lanes that failed since a time. Returns the
-- groups that failed last, @limit + 1 at most, each with its latest @samples
-- attempts, and of how many attempts that is and since when. Without a group, it
-- returns one row that has the last two only.
WITH latest AS (
    SELECT outcome, detail, lane, ended_at, job_id, idx, number, row_number() OVER (ORDER BY ended_at DESC, job_id, idx, number DESC) AS n
    FROM attempts
    WHERE outcome NOT IN ('succeeded', 'canceled', 'given_back') AND ended_at >= @since
    ORDER BY ended_at DESC, job_id, idx, number DESC LIMIT @look
), ours AS (
    SELECT outcome, detail, ended_at, job_id, idx, number, n, alike,
           row_number() OVER (PARTITION BY outcome, alike ORDER BY n) AS place
    FROM latest, LATERAL translate(detail, '123456789', '000000000') AS alike
    WHERE lane = @lane::text
), groups AS (
    SELECT outcome, count(*) AS attempts, min(ended_at) AS first, min(n) AS latest,
           array_agg(ended_at ORDER BY n) FILTER (WHERE place <= @samples::integer) AS ends,
           array_agg(detail ORDER BY n) FILTER (WHERE place <= @samples) AS details,
           array_agg(job_id::text ORDER BY n) FILTER (WHERE place <= @samples) AS jobs,
           array_agg(idx ORDER BY n) FILTER (WHERE place <= @samples) AS indexes,
           array_agg(number ORDER BY n) FILTER (WHERE place <= @samples) AS numbers
    FROM ours GROUP BY outcome, alike
    ORDER BY latest LIMIT @limit::bigint + 1
)
SELECT coalesce(outcome, ''), coalesce(attempts, 0), first, ends, details, jobs, indexes, numbers, looked, earliest
FROM (SELECT count(*) AS looked, min(ended_at) AS earliest FROM latest) AS reach LEFT JOIN groups ON true
ORDER BY latest
