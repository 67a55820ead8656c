-- +goose NO TRANSACTION
-- +goose Up

-- What operators read. The columns of these indexes do not change once a row is
-- written, so that rows are still rewritten in place. They are built while the
-- service goes on writing, as jobs_open is: that needs no lock which reading or
-- writing a row conflicts with, and so no time limit. It waits for transactions that
-- are open. One that was cut short leaves an index that is of no use.

-- A tenant's jobs by id, which is by time. Those of all tenants are in that order
-- in the primary key.
DROP INDEX CONCURRENTLY IF EXISTS jobs_tenant;
CREATE INDEX CONCURRENTLY jobs_tenant ON jobs (tenant, id);

-- The latest attempts, and the latest of those that failed, which are few: the rows
-- of record.Failed.
DROP INDEX CONCURRENTLY IF EXISTS attempts_ended;
CREATE INDEX CONCURRENTLY attempts_ended ON attempts (ended_at);
DROP INDEX CONCURRENTLY IF EXISTS attempts_failed;
CREATE INDEX CONCURRENTLY attempts_failed ON attempts (ended_at) WHERE outcome NOT IN ('succeeded', 'canceled', 'given_back');

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS attempts_failed;
DROP INDEX CONCURRENTLY IF EXISTS attempts_ended;
DROP INDEX CONCURRENTLY IF EXISTS jobs_tenant;
