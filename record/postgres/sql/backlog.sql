-- Tells what waits. Asks the counters and the heads of indexes, and so reads the
-- same few pages whatever waits. jobs_open is in the order of creation, which no
-- index of images is: due_at moves. The images of a page of jobs are joined job
-- by job, by their key: a plain join could read the whole table, where statistics
-- are out of date. Limits are numbers, since a plan that suits all arguments
-- would take them for a tenth of the table: record.MaxUnsent, and how many of the
-- oldest unfinished jobs are looked into for signs of work. Turns go roughly by
-- age, so that work shows there first.
SELECT
    (SELECT coalesce(sum(waiting), 0)::bigint FROM lanes),
    coalesce((SELECT waiting FROM lanes WHERE name = ''), 0),
    coalesce((SELECT waiting FROM lanes WHERE name = '(held)'), 0),
    (SELECT count(*) FROM images WHERE status = 'processing'),
    (SELECT count(*) FROM (
        SELECT FROM images
        WHERE status = 'queued' AND NOT enqueued AND handed_out_at <= now() - @unsent::interval
        ORDER BY handed_out_at LIMIT 1000
    ) AS unsent),
    now() - (SELECT created_at FROM jobs WHERE completed_at IS NULL AND queued > 0 ORDER BY created_at LIMIT 1),
    now() - greatest(
        (SELECT max(started_at) FROM images WHERE status = 'processing'),
        (SELECT max(completed_at) FROM jobs WHERE completed_at IS NOT NULL),
        (SELECT max(greatest(i.started_at, i.completed_at)) FROM (
            SELECT id FROM jobs WHERE completed_at IS NULL ORDER BY created_at LIMIT 100
        ) AS page CROSS JOIN LATERAL (
            SELECT started_at, completed_at FROM images WHERE job_id = page.id OFFSET 0
        ) AS i)
    ),
    (SELECT count(*) FROM (
        (SELECT 1 FROM webhooks WHERE state = 'waiting' AND NOT sent LIMIT 1000)
        UNION ALL
        (SELECT 1 FROM budget_webhooks WHERE state = 'waiting' AND NOT sent LIMIT 1000)
        LIMIT 1000
    ) AS untold)
