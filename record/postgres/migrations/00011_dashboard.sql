-- +goose NO TRANSACTION
-- +goose Up

-- The pause of a lane by an operator, which holds beside the others; all NULL if
-- there is none. Programs of before do not go by it. The columns are added without
-- a rewrite; see 00004 for the time limit.
SET lock_timeout = '3s';
ALTER TABLE lanes
    ADD COLUMN IF NOT EXISTS hand_paused_at timestamptz,
    ADD COLUMN IF NOT EXISTS hand_paused_by text,
    ADD COLUMN IF NOT EXISTS hand_paused_reason text;
RESET lock_timeout;

-- What operators did by hand. A row is written by the statement that does it.
CREATE TABLE IF NOT EXISTS audit (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL,
    who    text NOT NULL,
    role   text NOT NULL, -- at that time
    action text NOT NULL,
    target text NOT NULL, -- what it was done to; empty if that says nothing
    reason text NOT NULL, -- in the operator's own words
    detail jsonb          -- an object of texts
);
CREATE INDEX IF NOT EXISTS audit_at ON audit (at, id);
CREATE INDEX IF NOT EXISTS audit_who ON audit (who, id);
CREATE INDEX IF NOT EXISTS audit_target ON audit (target, id);

-- No row of the audit is changed, and none is removed that is younger than
-- record.AuditKept.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.at < now() - interval '400 days' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit is only added to';
END $$;
-- +goose StatementEnd
CREATE OR REPLACE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_stays();

-- Tries to log in that failed, or are being looked at. Each is forgotten after
-- record.LoginWindow, by a later one. Names and addresses are what the caller
-- makes of them.
CREATE TABLE IF NOT EXISTS login_tries (
    id        uuid PRIMARY KEY,
    at        timestamptz NOT NULL,
    user_name text NOT NULL,
    address   text NOT NULL
);
CREATE INDEX IF NOT EXISTS login_tries_user ON login_tries (user_name, at);
CREATE INDEX IF NOT EXISTS login_tries_address ON login_tries (address, at);
CREATE INDEX IF NOT EXISTS login_tries_at ON login_tries (at);

-- Sessions that were ended before their time, and until when that must be known.
CREATE TABLE IF NOT EXISTS ended_sessions (
    id      text PRIMARY KEY,
    expires timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS ended_sessions_expires ON ended_sessions (expires);

-- +goose Down
DROP TABLE ended_sessions, login_tries, audit;
DROP FUNCTION audit_stays;
ALTER TABLE lanes DROP COLUMN hand_paused_at, DROP COLUMN hand_paused_by, DROP COLUMN hand_paused_reason;
