-- Tells what a job would meet if create wrote it now: how many images of its tenant
-- wait, and how many images would start before those of its own at @idxs. Begins
-- at the same tag as create, and counts as ahead does: of the job's own tenant all
-- that wait go before it, and of the job itself @ranks. Costs the same however many
-- wait.
WITH began AS (
    SELECT greatest(v.virtual, least(t.finish, v.virtual + (t.waiting + 1) / t.weight)) AS tag
    FROM (
        SELECT coalesce(max(virtual), 0) AS virtual FROM turns WHERE model = @model AND priority = @priority
    ) AS v
    LEFT JOIN tenants t ON t.model = @model AND t.priority = @priority AND t.tenant = @tenant
), mine AS (
    SELECT n, idx, rank, tag + idx / @weight::float8 AS start_tag
    FROM began, unnest(@idxs::int[], @ranks::int[]) WITH ORDINALITY AS of_image (idx, rank, n)
), counted AS (
    SELECT m.n, m.rank + (
        SELECT coalesce(sum(CASE
            WHEN t.priority < @priority OR t.tenant = @tenant THEN t.waiting
            ELSE least(t.waiting, greatest(0, t.waiting - floor((t.finish - m.start_tag) * t.weight + 0.001)))
        END), 0) FROM tenants t
        WHERE t.model = @model AND t.priority <= @priority AND t.waiting > 0
    )::bigint + (
        SELECT count(*) FROM images i
        WHERE i.model = @model AND i.priority = @priority AND i.start_tag = m.start_tag AND i.status = 'queued' AND i.ready
          AND (i.recorded_at, i.job_id, i.idx) < (now(), @id::uuid, m.idx)
    ) AS ahead FROM mine m
)
SELECT (SELECT coalesce(sum(waiting), 0)::bigint FROM tenants WHERE tenant = @tenant), array_agg(ahead ORDER BY n) FROM counted
