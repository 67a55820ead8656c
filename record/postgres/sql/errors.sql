-- Groups the latest attempts that failed, @look at most, by outcome, normal detail
-- and lane: see record.NormalDetail, which has the same patterns. Returns the
-- largest groups, @limit + 1 at most, and of how many attempts all groups are. The
-- sample begins with its place, so that the least one is of the latest attempt.
--
-- To make a detail normal takes long. So it is done once for all attempts that
-- differ in digits at most, which the patterns do not tell apart, and before these
-- are told apart by tenant and hour.
WITH latest AS (
    SELECT outcome, translate(detail, '123456789', '000000000') AS detail, lane, tenant, ended_at, job_id, idx, number,
           greatest(0, floor(extract(epoch FROM now() - ended_at) / 3600))::integer AS back,
           row_number() OVER (ORDER BY ended_at DESC, job_id, idx, number DESC) AS n
    FROM attempts
    WHERE outcome NOT IN ('succeeded', 'canceled', 'given_back') AND ended_at >= @since
    ORDER BY ended_at DESC, job_id, idx, number DESC LIMIT @look
), equal AS (
    SELECT outcome, detail, lane, array_agg(tenant) AS tenants, array_agg(back) AS backs, min(ended_at) AS first, max(ended_at) AS last,
           min(lpad(n::text, 8, '0') || '/' || job_id || '/' || idx || '/' || number) AS sample
    FROM latest GROUP BY outcome, detail, lane
), normal AS MATERIALIZED (
    SELECT outcome, left(
               regexp_replace(regexp_replace(regexp_replace(regexp_replace(detail,
                   '"[^"]*"|`[^`]*`', '…', 'g'),
                   '(^|[ (:=,])''[^'']*''', '\1…', 'g'),
                   '[A-Za-z0-9_-]*[0-9][A-Za-z_-]+[0-9][A-Za-z0-9_-]*', '#', 'g'),
                   '[0-9]+', '#', 'g'), @detail::integer
           ) AS detail, lane, tenants, backs, first, last, sample
    FROM equal
), counted AS (
    SELECT n.outcome, n.detail, n.lane, a.tenant, a.back, count(*) AS attempts, min(n.first) AS first, max(n.last) AS last, min(n.sample) AS sample
    FROM normal n CROSS JOIN LATERAL unnest(n.tenants, n.backs) AS a (tenant, back)
    GROUP BY n.outcome, n.detail, n.lane, a.tenant, a.back
), alike AS (
    SELECT outcome, detail, lane, tenant, back, attempts, first, last, sample,
           sum(attempts) OVER of_tenant AS in_tenant, row_number() OVER of_tenant AS n_tenant,
           sum(attempts) OVER of_hour AS in_hour, row_number() OVER of_hour AS n_hour
    FROM counted
    WINDOW of_tenant AS (PARTITION BY outcome, detail, lane, tenant), of_hour AS (PARTITION BY outcome, detail, lane, back)
)
SELECT outcome, detail, lane, sum(attempts)::bigint AS n, min(first), max(last) AS latest, min(sample COLLATE "C"),
       (array_agg(tenant ORDER BY in_tenant DESC, tenant COLLATE "C") FILTER (WHERE n_tenant = 1))[1:@tenants::integer],
       count(*) FILTER (WHERE n_tenant = 1),
       coalesce(array_agg(back ORDER BY back) FILTER (WHERE n_hour = 1 AND back < @hours::integer), '{}'),
       coalesce(array_agg(in_hour::bigint ORDER BY back) FILTER (WHERE n_hour = 1 AND back < @hours), '{}'),
       (sum(sum(attempts)) OVER ())::bigint, min(min(first)) OVER ()
FROM alike GROUP BY outcome, detail, lane
ORDER BY n DESC, latest DESC, outcome COLLATE "C", detail COLLATE "C", lane COLLATE "C" LIMIT @limit::bigint + 1
