-- Counts the jobs that a bulk would meet, @limit at most, and their pictures by model
-- and size. Looks at jobs as count does. Returns a row for each model and size, or one,
-- with what count returns and how many of the jobs were retried before. The pictures of
-- these are not counted. It looks for members in the input's text: see retries.
WITH seen AS (
    SELECT id, created_at, n, wanted, more FROM (
        SELECT c.id, c.created_at, c.status, row_number() OVER newest AS n, lead(c.id) OVER newest IS NOT NULL AS more,
               (cardinality(@statuses::text[]) = 0 OR c.status = ANY (@statuses::text[]) OR coalesce(c.completed_at >= @ended_since::timestamptz, false))
               AND (@text::text = '' OR strpos(coalesce(c.search_text, ''), @text) > 0)
               AND (NOT @stored::boolean OR c.succeeded > 0)
               AND (@code::text = '' OR c.failed > 0 OR c.completed_at IS NULL)
               AND (@cost::bigint <= 0 OR (SELECT sum(i.cost_micros) FROM images i WHERE i.job_id = c.id) >= @cost)
               AND (@code = '' AND @lane::text = '' AND @model::text = '' OR EXISTS (
                   SELECT FROM images i WHERE i.job_id = c.id
                     AND (@code = '' OR i.error_code = @code)
                     AND (@lane = '' OR coalesce(CASE WHEN i.status <> 'queued' THEN i.claim_lane END, nullif(i.task_lane, '(held)')) = @lane)
                     AND (@model = '' OR i.model = @model)
                     AND (NOT @stored OR i.status = 'succeeded')
                   OFFSET 0
               )) AS wanted
        FROM (
            (
                SELECT id, created_at, status, search_text, succeeded, failed, completed_at FROM jobs
                WHERE @tenant::text = '' AND id >= @from AND id <= @to AND id < @before
                ORDER BY id DESC LIMIT @look::bigint + 1
            ) UNION ALL (
                SELECT id, created_at, status, search_text, succeeded, failed, completed_at FROM jobs
                WHERE @tenant <> '' AND tenant = @tenant AND id >= @from AND id <= @to AND id < @before
                ORDER BY id DESC LIMIT @look + 1
            )
            ORDER BY id DESC
        ) AS c
        WINDOW newest AS (ORDER BY c.id DESC)
    ) AS looked
    WHERE n <= @look AND (wanted OR NOT more OR n = @look)
    ORDER BY looked.id DESC LIMIT @limit
), met AS (
    SELECT coalesce(substring(j.input::text from '"model":"([^"\\]*)"'), '') AS model,
           coalesce(substring(j.input::text from '"image_size":"([^"\\]*)"'), '') AS size,
           j.queued, j.processing, j.failed + j.canceled AS lost,
           EXISTS (SELECT FROM jobs r WHERE r.retry_of = j.id) AS retried
    FROM seen JOIN jobs j ON j.id = seen.id WHERE wanted
), summed AS (
    SELECT model, size, sum(queued)::bigint AS queued, sum(processing)::bigint AS processing, sum(lost)::bigint AS lost
    FROM met WHERE NOT retried GROUP BY model, size
), counted AS (
    SELECT count(*) FILTER (WHERE wanted) AS jobs, coalesce(max(n), 0) AS looked, (array_agg(created_at ORDER BY n DESC))[1] AS since,
           coalesce((array_agg(more ORDER BY n DESC))[1], false) AS more, (SELECT count(*) FROM met WHERE retried) AS retried
    FROM seen
)
SELECT c.jobs, c.looked, c.since, c.more, c.retried, s.model, s.size, coalesce(s.queued, 0), coalesce(s.processing, 0), coalesce(s.lost, 0)
FROM counted c LEFT JOIN summed s ON true
ORDER BY s.model COLLATE "C", s.size COLLATE "C"
