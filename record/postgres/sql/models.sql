-- Tells what waits of each model. Counts the tenants' counters, and looks for the
-- first parked image of each model: first by the order of images_lane, so that the
-- planner does not look through others, or for all of them.
SELECT t.model, t.waiting, coalesce((
    SELECT true FROM images i WHERE i.status = 'queued' AND i.task_lane = '' AND i.model = t.model
    ORDER BY i.priority, i.start_tag, i.recorded_at, i.job_id, i.idx LIMIT 1
), false)
FROM (SELECT model, sum(waiting)::bigint AS waiting FROM tenants GROUP BY model) AS t
WHERE t.waiting > 0 ORDER BY t.model COLLATE "C"
