-- +goose Up

-- A job is one request for pictures. Its counters and its version are kept by
-- the same statement that moves an image; its status follows from the counters.
CREATE TABLE jobs (
    id              uuid PRIMARY KEY, -- UUIDv7: sorts by time of creation
    tenant          text NOT NULL,
    priority        smallint NOT NULL, -- 0 normal, 1 low: the smaller goes first, everywhere
    version         bigint NOT NULL DEFAULT 1,
    input           json NOT NULL, -- json, not jsonb, which refuses \u0000 and so some prompts
    metadata        json, -- handed back as it came
    idempotency_key text,
    fingerprint     text NOT NULL,

    total      integer NOT NULL CHECK (total > 0),
    queued     integer NOT NULL CHECK (queued >= 0),
    processing integer NOT NULL DEFAULT 0 CHECK (processing >= 0),
    succeeded  integer NOT NULL DEFAULT 0 CHECK (succeeded >= 0),
    failed     integer NOT NULL DEFAULT 0 CHECK (failed >= 0),
    canceled   integer NOT NULL DEFAULT 0 CHECK (canceled >= 0),
    CHECK (queued + processing + succeeded + failed + canceled = total),

    created_at   timestamptz NOT NULL,
    started_at   timestamptz,
    completed_at timestamptz,
    expires_at   timestamptz NOT NULL,

    -- The same rule as job.Progress.Status.
    status text NOT NULL GENERATED ALWAYS AS (
        CASE
            WHEN queued + processing > 0 AND (started_at IS NOT NULL OR queued < total) THEN 'processing'
            WHEN queued + processing > 0 THEN 'queued'
            WHEN succeeded = total THEN 'succeeded'
            WHEN succeeded > 0 THEN 'partial'
            WHEN canceled > 0 AND failed = 0 THEN 'canceled'
            ELSE 'failed'
        END
    ) STORED
);

CREATE UNIQUE INDEX jobs_idempotency_key ON jobs (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_ended ON jobs (completed_at, id) WHERE completed_at IS NOT NULL;

-- An image is one picture of a job.
CREATE TABLE images (
    job_id   uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    idx      integer NOT NULL CHECK (idx >= 0),
    -- Its job's, repeated for the indexes: no claim and no sweep looks at a job
    -- before it has found an image.
    model       text NOT NULL,
    priority    smallint NOT NULL,
    recorded_at timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    start_tag   double precision NOT NULL, -- its turn among its model's of one priority; see tenants

    status   text NOT NULL DEFAULT 'queued'
        CHECK (status IN ('queued', 'processing', 'succeeded', 'failed', 'canceled')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0), -- less those given back
    claims   integer NOT NULL DEFAULT 0, -- all of them
    dispatch integer NOT NULL DEFAULT 1, -- times it was put on a queue under its own name

    -- The task that will bring the image a slot. Images exchange them, across
    -- jobs too, so it is named in full.
    task_job_id   uuid NOT NULL,
    task_idx      integer NOT NULL,
    task_dispatch integer NOT NULL,
    task_lane     text NOT NULL,
    handed_out_at timestamptz NOT NULL, -- when a caller last got the task, to put it on a queue
    enqueued      boolean NOT NULL DEFAULT false, -- the task is known to be on a queue

    -- Queued: any slot of its model may take it. One that waits for a later
    -- time is not ready: its task comes at that time, and brings it a slot.
    ready    boolean NOT NULL DEFAULT true,
    -- Queued: since when, or from when on, a delivery is awaited; moved each
    -- time the sweep asked for the task. Processing: the end of its lease.
    due_at   timestamptz NOT NULL,
    claim    uuid, -- token of the latest claim, unless it was ended for the claimant

    object_key    text,
    content_type  text,
    width         integer,
    height        integer,
    bytes         bigint,
    sha256        text,
    model_version text,
    cost_micros   bigint NOT NULL DEFAULT 0,
    error_code    text,
    error_message text,
    started_at    timestamptz,
    completed_at  timestamptz,

    PRIMARY KEY (job_id, idx)
);

-- The order of turns. Only images that any slot may take are in it, so that a
-- claim costs the same however many have ended, are being worked on or wait for
-- a later time. It starts with what no other index has: were the order the
-- primary key's, statistics that are out of date could lead a claim through
-- that, past everything that has ended.
CREATE INDEX images_turn ON images (model, priority, start_tag, recorded_at, job_id, idx)
    WHERE status = 'queued' AND ready;

-- Whose task it is. Those of ended images are of no use.
CREATE INDEX images_task ON images (task_job_id, task_idx, task_dispatch) WHERE status IN ('queued', 'processing');

-- What the sweep looks for, each by the time from which it may be found, so
-- that finding nothing is one look at an index.
CREATE INDEX images_due ON images (status, due_at, job_id, idx) WHERE status IN ('queued', 'processing');
CREATE INDEX images_unsent ON images (handed_out_at, job_id, idx) WHERE status = 'queued' AND NOT enqueued;
CREATE INDEX images_expiry ON images (expires_at) WHERE status IN ('queued', 'processing');

-- The virtual time of a model and priority: the greatest start tag that was
-- claimed. Here and below, rows are rewritten with every claim; a page that is
-- half empty lets that happen in place.
CREATE TABLE turns (
    model    text NOT NULL,
    priority smallint NOT NULL,
    virtual  double precision NOT NULL DEFAULT 0,
    PRIMARY KEY (model, priority)
) WITH (fillfactor = 50);

-- A tenant's part in the turns of a model and priority.
--
-- Tags are images divided by weight, from 0 on. After a thousand million images
-- a double still tells tags apart that differ by a millionth, which is the step
-- of a weight of a million; what it could not tell apart would go by
-- recorded_at.
CREATE TABLE tenants (
    model    text NOT NULL,
    priority smallint NOT NULL,
    tenant   text NOT NULL,
    finish   double precision NOT NULL, -- the finish tag of its last image
    weight   double precision NOT NULL CHECK (weight > 0), -- of its last job
    waiting  bigint NOT NULL, -- its queued images
    PRIMARY KEY (model, priority, tenant)
) WITH (fillfactor = 50);

-- A lane, from its first task or its first pause on. The counters here and in
-- tenants are exact, and yet not constrained: no image shall fail by one.
CREATE TABLE lanes (
    name    text PRIMARY KEY,
    waiting bigint NOT NULL DEFAULT 0, -- queued images whose task is on its queue

    -- All NULL, and not broken, while the lane is up.
    paused_until   timestamptz,
    paused_since   timestamptz,
    reason_code    text,
    reason_message text,
    broken         boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);

-- +goose Down
DROP TABLE lanes;
DROP TABLE tenants;
DROP TABLE turns;
DROP TABLE images;
DROP TABLE jobs;
