-- Estimates how many images start before the next of a job's queued ones: the
-- first that is ready, or else the first that is not parked. Returns no row if there
-- is none. Goes
-- by the tenants and not by their images, so that it costs the same however many
-- wait.
--
-- A tenant's waiting images are taken to be its latest, 1/weight apart up to its
-- finish tag: so many of them come after the job's as fit between. That
-- misjudges a tenant who canceled some, or whose weight changed, until those
-- have had their turn. The thousandth makes up for rounding. Of each tenant one
-- image may have the very same tag; of these the earlier recorded ones count.
-- The job's own images that wait for a time are passed over.
WITH mine AS (
    SELECT model, priority, start_tag, recorded_at, job_id, idx
    FROM images
    WHERE job_id = @id AND status = 'queued' AND task_lane NOT IN ('', '(held)')
    ORDER BY NOT ready, idx LIMIT 1
)
SELECT greatest(0, (
    SELECT coalesce(sum(CASE
        WHEN t.priority < m.priority THEN t.waiting
        ELSE least(t.waiting, greatest(0, t.waiting - floor((t.finish - m.start_tag) * t.weight + 0.001)))
    END), 0) FROM tenants t
    WHERE t.model = m.model AND t.priority <= m.priority AND t.waiting > 0
)::bigint + (
    SELECT count(*) FROM images i
    WHERE i.model = m.model AND i.priority = m.priority AND i.start_tag = m.start_tag AND i.status = 'queued' AND i.ready
      AND (i.recorded_at, i.job_id, i.idx) < (m.recorded_at, m.job_id, m.idx)
) - (
    SELECT count(*) FROM images i
    WHERE i.job_id = @id AND i.status = 'queued' AND NOT i.ready AND i.start_tag < m.start_tag
)) FROM mine m
