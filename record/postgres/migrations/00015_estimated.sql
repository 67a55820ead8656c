-- +goose NO TRANSACTION
-- +goose Up

-- The part of an hour's cost that is estimated. Programs of before leave it as it
-- is, so that what they add counts as exact. The column is added without a rewrite;
-- see 00004 for the time limit.
SET lock_timeout = '3s';
ALTER TABLE hourly ADD COLUMN IF NOT EXISTS estimated_micros bigint NOT NULL DEFAULT 0;
RESET lock_timeout;

-- +goose Down
ALTER TABLE hourly DROP COLUMN estimated_micros;
