-- +goose NO TRANSACTION
-- +goose Up

-- What operators do to all jobs that a search finds, and how far that is. Programs of
-- before do not go on with one: a sweep of this version does.
CREATE TABLE IF NOT EXISTS bulks (
    id                uuid PRIMARY KEY,
    action            text NOT NULL,
    search            text NOT NULL,  -- as it was typed
    query             jsonb NOT NULL, -- what that meant then: record.SearchQuery
    expected_jobs     integer NOT NULL, -- by the dry run, and so are the next three
    expected_more     boolean NOT NULL,
    expected_pictures integer NOT NULL,
    expected_micros   bigint NOT NULL,
    who               text NOT NULL,
    role              text NOT NULL,
    reason            text NOT NULL,
    started_at        timestamptz NOT NULL,
    state             text NOT NULL DEFAULT 'running',
    moved_at          timestamptz NOT NULL,
    ended_at          timestamptz,
    aborted_by        text NOT NULL DEFAULT '',
    abort_reason      text NOT NULL DEFAULT '',
    cursor            text NOT NULL DEFAULT '', -- it has met the jobs from this id on
    steps             integer NOT NULL DEFAULT 0,
    tries             integer NOT NULL DEFAULT 0,
    done              integer NOT NULL DEFAULT 0,
    skipped           integer NOT NULL DEFAULT 0,
    failed            integer NOT NULL DEFAULT 0,
    samples           jsonb -- a list of record.BulkSample
) WITH (fillfactor = 50);
CREATE INDEX IF NOT EXISTS bulks_open ON bulks (started_at, id) WHERE ended_at IS NULL;

-- Whether a job was retried before, also by a retry that has ended.
DROP INDEX CONCURRENTLY IF EXISTS jobs_retried;
CREATE INDEX CONCURRENTLY jobs_retried ON jobs (retry_of) WHERE retry_of IS NOT NULL;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS jobs_retried;
DROP TABLE bulks;
