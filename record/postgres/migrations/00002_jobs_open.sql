-- +goose Up

-- How long the oldest waiting image has waited is asked with every sweep. No
-- index of images is in the order of creation, since due_at moves; this one
-- gets an entry with a job and loses it with the job's end. What changes in
-- between is not in it, so that those updates still rewrite the row in place.
CREATE INDEX jobs_open ON jobs (created_at) WHERE completed_at IS NULL;

-- +goose Down
DROP INDEX jobs_open;
