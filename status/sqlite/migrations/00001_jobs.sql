-- +goose Up

-- A job is one request for pictures. Its counters and its version are kept by
-- the same transaction that moves an image; its status follows from the
-- counters. Times are microseconds since 1970.
CREATE TABLE jobs (
    id              TEXT PRIMARY KEY, -- UUIDv7: sorts by time of creation
    tenant          TEXT NOT NULL,
    version         INTEGER NOT NULL DEFAULT 1,
    priority        TEXT NOT NULL CHECK (priority IN ('normal', 'low')),
    input           TEXT NOT NULL, -- JSON
    metadata        TEXT, -- JSON, handed back as it came
    idempotency_key TEXT,
    fingerprint     TEXT NOT NULL,

    total      INTEGER NOT NULL CHECK (total > 0),
    queued     INTEGER NOT NULL CHECK (queued >= 0),
    processing INTEGER NOT NULL DEFAULT 0 CHECK (processing >= 0),
    succeeded  INTEGER NOT NULL DEFAULT 0 CHECK (succeeded >= 0),
    failed     INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
    canceled   INTEGER NOT NULL DEFAULT 0 CHECK (canceled >= 0),

    created_at   INTEGER NOT NULL,
    started_at   INTEGER,
    completed_at INTEGER,
    expires_at   INTEGER NOT NULL,

    -- The same rule as job.Progress.Status.
    status TEXT NOT NULL GENERATED ALWAYS AS (
        CASE
            WHEN queued + processing > 0 AND (started_at IS NOT NULL OR queued < total) THEN 'processing'
            WHEN queued + processing > 0 THEN 'queued'
            WHEN succeeded = total THEN 'succeeded'
            WHEN succeeded > 0 THEN 'partial'
            WHEN canceled > 0 AND failed = 0 THEN 'canceled'
            ELSE 'failed'
        END
    ) STORED,

    CHECK (queued + processing + succeeded + failed + canceled = total)
) STRICT;

CREATE UNIQUE INDEX jobs_idempotency_key ON jobs (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;
-- What the sweep looks for.
CREATE INDEX jobs_deadline ON jobs (expires_at) WHERE completed_at IS NULL;
CREATE INDEX jobs_ended ON jobs (completed_at, id) WHERE completed_at IS NOT NULL;

-- Turns are taken among the images of a model and priority, each of which has
-- a virtual time: the greatest start tag that was claimed.
CREATE TABLE turns (
    model   TEXT NOT NULL,
    low     INTEGER NOT NULL, -- the priority
    virtual REAL NOT NULL DEFAULT 0,

    PRIMARY KEY (model, low)
) STRICT, WITHOUT ROWID;

-- What turns a tenant has taken or lined up for, which outlives its jobs.
CREATE TABLE tenant_turns (
    model  TEXT NOT NULL,
    low    INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    finish REAL NOT NULL, -- finish tag of its last image
    weight REAL NOT NULL CHECK (weight > 0), -- of its last job

    PRIMARY KEY (model, low, tenant)
) STRICT, WITHOUT ROWID;

-- An image is one picture of a job.
CREATE TABLE images (
    job_id   TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
    idx      INTEGER NOT NULL CHECK (idx >= 0),
    -- Its job's tenant, model, priority and created_at, repeated for the indexes
    -- that claims use.
    tenant      TEXT NOT NULL,
    model       TEXT NOT NULL,
    low         INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    start_tag   REAL NOT NULL, -- whose turn it is; kept for life

    status   TEXT NOT NULL DEFAULT 'queued'
        CHECK (status IN ('queued', 'processing', 'succeeded', 'failed', 'canceled')),
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0), -- less those given back
    claims   INTEGER NOT NULL DEFAULT 0, -- all of them
    dispatch INTEGER NOT NULL DEFAULT 1, -- times it was put on a queue under its own name

    -- The task that will bring the image a slot. Images exchange them, across
    -- jobs too, so it is named in full.
    task_job_id   TEXT NOT NULL,
    task_idx      INTEGER NOT NULL,
    task_dispatch INTEGER NOT NULL,
    task_lane     TEXT NOT NULL,
    task_sent     INTEGER NOT NULL DEFAULT 0, -- it is known to be on a queue
    task_at       INTEGER NOT NULL, -- when it was handed out, latest

    -- Queued: any delivery may bring the image a slot, and not just its own
    -- task's. It is not so while the image waits for a later time, even once
    -- that has passed: no clock moves it, its task does.
    ready  INTEGER NOT NULL CHECK (ready = 0 OR status = 'queued'),
    -- Queued: the time it waits for, or waited. Processing: the end of its
    -- lease.
    due_at INTEGER NOT NULL,
    -- Queued: due_at, or when the sweep asked after its task since.
    heard_at INTEGER NOT NULL,
    claim    TEXT, -- token of the latest claim, while that may be spoken of

    object_key    TEXT NOT NULL DEFAULT '',
    content_type  TEXT NOT NULL DEFAULT '',
    width         INTEGER NOT NULL DEFAULT 0,
    height        INTEGER NOT NULL DEFAULT 0,
    bytes         INTEGER NOT NULL DEFAULT 0,
    sha256        TEXT NOT NULL DEFAULT '',
    model_version TEXT NOT NULL DEFAULT '',
    cost_micros   INTEGER NOT NULL DEFAULT 0,
    error_code    TEXT,
    error_message TEXT,
    started_at    INTEGER,
    completed_at  INTEGER,

    PRIMARY KEY (job_id, idx)
) STRICT, WITHOUT ROWID;

CREATE INDEX images_turn ON images (model, low, start_tag, recorded_at, job_id, idx) WHERE ready;
CREATE INDEX images_task ON images (task_job_id, task_idx, task_dispatch);
-- How many wait, of whom and on which lane.
CREATE INDEX images_waiting ON images (model, low, tenant, start_tag) WHERE status = 'queued';
CREATE INDEX images_lane ON images (task_lane) WHERE status = 'queued';
-- What the sweep looks for.
CREATE INDEX images_unsent ON images (task_at) WHERE status = 'queued' AND NOT task_sent;
CREATE INDEX images_unheard ON images (heard_at) WHERE status = 'queued';
CREATE INDEX images_lease ON images (due_at) WHERE status = 'processing';

-- Every lane that was ever paused or given a task.
CREATE TABLE lanes (
    name TEXT PRIMARY KEY,
    -- Of its pause, all NULL unless there is one that nothing resumed.
    paused_until   INTEGER,
    broken         INTEGER,
    reason_code    TEXT,
    reason_message TEXT,
    paused_since   INTEGER
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE lanes;
DROP TABLE tenant_turns;
DROP TABLE turns;
DROP TABLE images;
DROP TABLE jobs;
