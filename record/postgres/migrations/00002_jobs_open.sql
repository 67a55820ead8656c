-- +goose NO TRANSACTION
-- +goose Up

-- How long the oldest waiting image has waited is asked with every sweep. No
-- index of images is in the order of creation, since due_at moves; this one
-- gets an entry with a job and loses it with the job's end. What changes in
-- between is not in it, so that those updates still rewrite the row in place.
--
-- It is built while the service goes on writing, which takes a statement outside
-- of a transaction. One that was cut short leaves an index that is of no use.
DROP INDEX CONCURRENTLY IF EXISTS jobs_open;
CREATE INDEX CONCURRENTLY jobs_open ON jobs (created_at) WHERE completed_at IS NULL;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS jobs_open;
