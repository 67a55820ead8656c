-- +goose NO TRANSACTION
-- +goose Up

-- What waits on a lane, by model and in the order of turns: what the sweep moves
-- from lane to lane. Parked images are on the lane without a name. No task_lane is
-- NULL; that is said so that the planner uses the index for one lane only, and not
-- for everything that waits. It is built while the service goes on writing, as
-- jobs_open is.
DROP INDEX CONCURRENTLY IF EXISTS images_lane;
CREATE INDEX CONCURRENTLY images_lane ON images (task_lane, model, priority, start_tag, recorded_at, job_id, idx)
    WHERE status = 'queued' AND task_lane IS NOT NULL;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS images_lane;
