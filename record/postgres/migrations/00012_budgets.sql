-- +goose NO TRANSACTION
-- +goose Up

-- A period of a budget, from its first reservation on. Money is in millionths of a
-- US dollar. Rows are rewritten with every picture: see turns.
CREATE TABLE IF NOT EXISTS budgets (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope           text COLLATE "C" NOT NULL, -- whose: job.BudgetScope
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz NOT NULL,
    limit_micros    bigint NOT NULL, -- by the latest that looked for room
    reserved_micros bigint NOT NULL DEFAULT 0,
    spent_micros    bigint NOT NULL DEFAULT 0,
    told            integer NOT NULL DEFAULT 0, -- the share of the limit that was told, in percent
    UNIQUE (scope, starts_at, ends_at)
) WITH (fillfactor = 50);
CREATE INDEX IF NOT EXISTS budgets_ends ON budgets (ends_at);

-- Programs of before reserve nothing, and leave the reservation of what they end.
-- They take the lane '(held)' for one that is gone and has nothing ready. Columns
-- without a rewrite; see 00004 for the time limit.
SET lock_timeout = '3s';
ALTER TABLE images
    ADD COLUMN IF NOT EXISTS budgets bigint[], -- what it is reserved with, or was
    ADD COLUMN IF NOT EXISTS price_micros bigint NOT NULL DEFAULT 0, -- what a reservation is for
    ADD COLUMN IF NOT EXISTS reserved_micros bigint NOT NULL DEFAULT 0, -- stays once it is settled
    ADD COLUMN IF NOT EXISTS settled boolean NOT NULL DEFAULT false, -- it has ended and its reservation has gone
    ADD COLUMN IF NOT EXISTS counted_micros bigint NOT NULL DEFAULT 0, -- the part of billed_micros that is spent already
    ADD COLUMN IF NOT EXISTS held_by text COLLATE "C"; -- while it is queued: the scope that has no room
RESET lock_timeout;

-- What is held, by scope in the order of turns, and what has ended with a reservation
-- left.
DROP INDEX CONCURRENTLY IF EXISTS images_held;
CREATE INDEX CONCURRENTLY images_held ON images (held_by, priority, start_tag, recorded_at, job_id, idx)
    WHERE status = 'queued' AND held_by IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS images_unsettled;
CREATE INDEX CONCURRENTLY images_unsettled ON images (completed_at, job_id, idx)
    WHERE completed_at IS NOT NULL AND reserved_micros > 0 AND NOT settled;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS images_unsettled;
DROP INDEX CONCURRENTLY IF EXISTS images_held;
ALTER TABLE images
    DROP COLUMN held_by, DROP COLUMN counted_micros, DROP COLUMN settled, DROP COLUMN reserved_micros, DROP COLUMN price_micros,
    DROP COLUMN budgets;
DROP TABLE budgets;
