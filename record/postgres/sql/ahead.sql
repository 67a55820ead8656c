-- Estimates how many images start before the first one of a job that has not
-- started; returns no row for any other job. Goes by the tenants and not by
-- their images, so that it costs the same however many wait.
--
-- A tenant's waiting images are taken to be its latest, 1/weight apart up to its
-- finish tag: so many of them come after the job's as fit between. That
-- misjudges a tenant who canceled some, or whose weight changed, until those
-- have had their turn. The thousandth makes up for rounding. Of each tenant one
-- image may have the very same tag; of these the earlier recorded ones count.
WITH mine AS (
    SELECT i.model, i.priority, i.start_tag, i.recorded_at, i.job_id, i.idx
    FROM jobs j JOIN images i ON i.job_id = j.id
    WHERE j.id = @id AND j.started_at IS NULL AND i.status = 'queued'
    ORDER BY i.idx LIMIT 1
)
SELECT (
    SELECT coalesce(sum(CASE
        WHEN t.priority < m.priority THEN t.waiting
        ELSE least(t.waiting, greatest(0, t.waiting - floor((t.finish - m.start_tag) * t.weight + 0.001)))
    END), 0) FROM tenants t
    WHERE t.model = m.model AND t.priority <= m.priority AND t.waiting > 0
)::bigint + (
    SELECT count(*) FROM images i
    WHERE i.model = m.model AND i.priority = m.priority AND i.start_tag = m.start_tag AND i.status = 'queued' AND i.ready
      AND (i.recorded_at, i.job_id, i.idx) < (m.recorded_at, m.job_id, m.idx)
) FROM mine m
