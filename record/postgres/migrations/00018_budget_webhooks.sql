-- +goose Up

-- What the receiver of budgets is told: a row for each level that a period reached,
-- written by the statement that made it reach that. The names of columns and what
-- they hold are those of webhooks. Programs of before neither write nor read it. budget
-- has no foreign key, which would lock the periods while this runs; what removes a
-- period removes its rows.
CREATE TABLE budget_webhooks (
    id              text COLLATE "C" PRIMARY KEY, -- job.BudgetWebhookID
    budget          bigint NOT NULL, -- the period: budgets.id
    level           integer NOT NULL, -- in percent
    limit_micros    bigint NOT NULL, -- this and the next three as the event left them
    raised_micros   bigint NOT NULL,
    reserved_micros bigint NOT NULL,
    spent_micros    bigint NOT NULL,
    happened_at     timestamptz NOT NULL,

    state         text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'gone', 'failed')),
    tries         integer NOT NULL DEFAULT 0,
    renewed       integer NOT NULL DEFAULT 0,
    next_at       timestamptz,
    sent          boolean NOT NULL DEFAULT false,
    handed_out_at timestamptz NOT NULL,
    log           jsonb NOT NULL DEFAULT '[]'
);

CREATE INDEX budget_webhooks_budget ON budget_webhooks (budget);
CREATE INDEX budget_webhooks_waiting ON budget_webhooks (sent, handed_out_at, id) WHERE state = 'waiting';

-- +goose Down
DROP TABLE budget_webhooks;
