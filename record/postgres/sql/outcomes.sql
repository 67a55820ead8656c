-- Tells what came of the work of late: a row for each model and what became of
-- its images. Goes back from the latest job that ended, so that it reads a page
-- of jobs and no more of the history. Their images are joined as in backlog.
WITH page AS (
    SELECT id, completed_at FROM jobs
    WHERE completed_at > now() - greatest(@since::interval, @runs_since::interval)
    ORDER BY completed_at DESC, id DESC LIMIT @jobs
), ended AS (
    SELECT i.model, i.status, coalesce(i.error_code, '') AS code, page.completed_at > now() - @since::interval AS lately,
           (extract(epoch FROM i.completed_at - i.started_at) * 1e6)::bigint AS micros,
           row_number() OVER (PARTITION BY i.model, i.status ORDER BY page.completed_at DESC, page.id DESC, i.idx) AS n
    FROM page CROSS JOIN LATERAL (
        SELECT idx, model, status, error_code, started_at, completed_at FROM images WHERE job_id = page.id OFFSET 0
    ) AS i
    WHERE i.status IN ('succeeded', 'failed')
)
SELECT model, status, code, count(*) FILTER (WHERE lately),
       coalesce(array_agg(micros) FILTER (WHERE status = 'succeeded' AND n <= @pictures), '{}')
FROM ended GROUP BY model, status, code
