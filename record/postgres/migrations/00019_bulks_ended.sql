-- +goose NO TRANSACTION
-- +goose Up

-- Bulks in the order in which they ended, for those that are removed after their time.
-- Built as those of 00013 are.
DROP INDEX CONCURRENTLY IF EXISTS bulks_ended;
CREATE INDEX CONCURRENTLY bulks_ended ON bulks (ended_at, id) WHERE ended_at IS NOT NULL;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS bulks_ended;
