-- +goose Up

-- What a list is asked for, and what keeps a job from having two retries at a
-- time. Programs of before leave these empty: their jobs are listed, but not
-- found by text or by metadata. A column without a default changes no row; see
-- 00004 for the time limit.
SET LOCAL lock_timeout = '3s';
ALTER TABLE jobs
    ADD COLUMN search_text text, -- the beginning of the prompt, in lower case
    ADD COLUMN retry_of uuid;    -- the job whose pictures this one draws again; it may be gone

-- The members of jobs' metadata that a list is asked for, with what orders it.
CREATE TABLE job_metadata (
    job_id     uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    key        text NOT NULL,
    value      text NOT NULL,
    tenant     text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (job_id, key)
);
CREATE INDEX job_metadata_listed ON job_metadata (tenant, key, value, created_at, job_id);

-- +goose Down
DROP TABLE job_metadata;
ALTER TABLE jobs DROP COLUMN search_text, DROP COLUMN retry_of;
