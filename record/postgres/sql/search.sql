-- Looks at the newest jobs, of a tenant or of all, from a place on. Returns those
-- that the query wants, and the last one that it looked at: it stops when it has
-- @limit of them, or has looked at @look jobs. n is how many it has looked at by
-- then, and more tells whether there is another job after it. It goes by the order
-- of an index, so that it reads no further than it looks. OFFSET keeps the planner
-- from looking at the images of all jobs at once.
SELECT id::text, created_at, n, wanted, more FROM (
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
