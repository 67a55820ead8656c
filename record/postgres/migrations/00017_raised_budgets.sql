-- +goose NO TRANSACTION
-- +goose Up

-- What operators add to the limit of a period. Programs of before do not go by it, and
-- so go by the smaller limit. The column is added without a rewrite; see 00004 for the
-- time limit.
SET lock_timeout = '3s';
ALTER TABLE budgets ADD COLUMN IF NOT EXISTS raised_micros bigint NOT NULL DEFAULT 0;
RESET lock_timeout;

-- +goose Down
ALTER TABLE budgets DROP COLUMN raised_micros;
