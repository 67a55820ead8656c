-- +goose Up

-- Which events of a job its receiver is told of; NULL if nobody is told, or no
-- more. Programs of before leave it empty, and record no webhooks: what they do
-- to a job of a newer program is not told. A column without a default changes no
-- row; see 00004 for the time limit.
SET LOCAL lock_timeout = '3s';
ALTER TABLE jobs ADD COLUMN webhook_events text[];

-- What receivers are told. A row is written by the statement that makes the event
-- happen. What is told of the job or the image is not in it: it does not change
-- after the event.
CREATE TABLE webhooks (
    job_id      uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    event       text NOT NULL,
    image_index integer, -- that the event is about; NULL with an event of the job
    -- The same name as job.WebhookID.
    id text COLLATE "C" NOT NULL GENERATED ALWAYS AS (
        'msg_' || replace(job_id::text, '-', '') || '_' || replace(event, '.', '_') || coalesce('_' || image_index::text, '')
    ) STORED,
    happened_at timestamptz NOT NULL,
    version     bigint NOT NULL, -- the job's, as the event left it
    status      text NOT NULL,   -- the job's, as the event left it

    state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'gone', 'failed')),
    tries      integer NOT NULL DEFAULT 0, -- of all rounds
    round_from integer NOT NULL DEFAULT 0, -- what tries was when the latest round began
    renewed    integer NOT NULL DEFAULT 0, -- how often the next try got a task in place of another
    next_at    timestamptz,                -- when the next try is due; NULL unless it waits
    sent       boolean NOT NULL DEFAULT false, -- the next try's task is known to be on the queue
    -- When a caller last got the task, to put it on the queue, or when the task's
    -- time comes, if that is later.
    handed_out_at timestamptz NOT NULL,
    log        jsonb NOT NULL DEFAULT '[]', -- the latest tries

    PRIMARY KEY (job_id, id)
);

-- What the sweep looks for, so that finding nothing is one look at an index.
CREATE INDEX webhooks_waiting ON webhooks (sent, handed_out_at, job_id, id) WHERE state = 'waiting';

-- +goose Down
DROP TABLE webhooks;
ALTER TABLE jobs DROP COLUMN webhook_events;
