-- +goose NO TRANSACTION
-- +goose Up

-- What became of each claim, and sums of that. Programs of before leave these as
-- they are: what they do is not in them. Each statement needs a busy table for a
-- moment, one at a time, and gives up soon; see 00004. A column without a default
-- changes no row.
SET lock_timeout = '3s';
ALTER TABLE images
    ADD COLUMN IF NOT EXISTS claim_lane text, -- of the latest claim; task_lane may become another one meanwhile
    ADD COLUMN IF NOT EXISTS bound_micros bigint; -- what the picture counts against the most that its job may cost; NULL is cost_micros

-- An attempt: a claim that has ended. What its claimant told is NULL, '' or 0 if
-- somebody else ended it. Outcomes are those of job.Outcome.
CREATE TABLE IF NOT EXISTS attempts (
    job_id   uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    idx      integer NOT NULL,
    number   integer NOT NULL, -- of the image's claims, from 1
    lane     text NOT NULL,
    model    text NOT NULL,
    tenant   text NOT NULL,
    dispatch integer NOT NULL,

    slot_at     timestamptz, -- this and the next but one are by the claimant's clock
    started_at  timestamptz NOT NULL, -- the claim
    asked_at    timestamptz,
    answered_at timestamptz,
    ended_at    timestamptz NOT NULL,
    waited      interval NOT NULL, -- before the claim

    outcome       text NOT NULL,
    counted       boolean NOT NULL, -- not given back
    detail        text NOT NULL,    -- the provider's words, without secrets
    finish_reason text NOT NULL,

    -- NULL if the answer did not say.
    prompt_tokens  bigint,
    text_tokens    bigint,
    thought_tokens bigint,
    image_tokens   bigint,
    total_tokens   bigint,

    billed      boolean NOT NULL, -- the provider charged for it, or may have
    cost_micros bigint NOT NULL,  -- 0 if not known or not billed
    estimated   boolean NOT NULL, -- the cost is the list price, or a part of the tokens is guessed
    price_list  text NOT NULL,    -- its version

    PRIMARY KEY (job_id, idx, number)
);

-- What attempts came to, by the hour (UTC) in which they ended. The row of an hour
-- is rewritten with every attempt: see turns. What brought a picture is the rows
-- with the outcome 'succeeded'. Rows are compared as bytes, as programs do.
CREATE TABLE IF NOT EXISTS hourly (
    hour    timestamptz NOT NULL,
    lane    text COLLATE "C" NOT NULL,
    model   text COLLATE "C" NOT NULL,
    tenant  text COLLATE "C" NOT NULL,
    outcome text COLLATE "C" NOT NULL,

    attempts       bigint NOT NULL,
    prompt_tokens  bigint NOT NULL,
    text_tokens    bigint NOT NULL,
    thought_tokens bigint NOT NULL,
    image_tokens   bigint NOT NULL,
    cost_micros    bigint NOT NULL,
    waited         interval NOT NULL,
    ran            interval NOT NULL,

    PRIMARY KEY (hour, lane, model, tenant, outcome)
) WITH (fillfactor = 50);
RESET lock_timeout;

-- +goose Down
DROP TABLE hourly;
DROP TABLE attempts;
ALTER TABLE images DROP COLUMN bound_micros, DROP COLUMN claim_lane;
