-- +goose NO TRANSACTION
-- +goose Up

-- What attempts of an image cost that brought no picture. The column is added
-- without a rewrite; see 00004 for the time limit.
SET lock_timeout = '3s';
ALTER TABLE images
    ADD COLUMN IF NOT EXISTS billed_micros bigint NOT NULL DEFAULT 0;
RESET lock_timeout;

-- +goose Down
ALTER TABLE images DROP COLUMN billed_micros;
