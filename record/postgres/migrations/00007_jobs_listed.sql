-- +goose NO TRANSACTION
-- +goose Up

-- The order of a list, for each status by itself. It is built while the service
-- goes on writing; one that was cut short leaves an index that is of no use.
DROP INDEX CONCURRENTLY IF EXISTS jobs_listed;
CREATE INDEX CONCURRENTLY jobs_listed ON jobs (tenant, status, created_at, id);

DROP INDEX CONCURRENTLY IF EXISTS jobs_retry;
CREATE UNIQUE INDEX CONCURRENTLY jobs_retry ON jobs (retry_of) WHERE retry_of IS NOT NULL AND completed_at IS NULL;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS jobs_retry;
DROP INDEX CONCURRENTLY IF EXISTS jobs_listed;
