-- Tells what waits on each lane, by model and priority: how many images, one more
-- than @heads at most, and when the oldest of the first @heads was recorded. Goes by
-- the order of turns, as images_lane does. There are turns of each model and
-- priority of which something ever waited. The lane without a name is of parked
-- images. Held ones are left out.
SELECT l.name, t.model, t.priority, w.images, w.oldest
FROM lanes l CROSS JOIN turns t
CROSS JOIN LATERAL (
    SELECT count(*) AS images, min(recorded_at) FILTER (WHERE n <= @heads) AS oldest FROM (
        SELECT recorded_at, row_number() OVER (ORDER BY start_tag, recorded_at, job_id, idx) AS n FROM images
        WHERE status = 'queued' AND task_lane = l.name AND model = t.model AND priority = t.priority
        ORDER BY start_tag, recorded_at, job_id, idx LIMIT @heads::bigint + 1
    ) AS heads
) AS w
WHERE w.images > 0 AND l.name <> '(held)'
ORDER BY l.name COLLATE "C", t.model COLLATE "C", t.priority
