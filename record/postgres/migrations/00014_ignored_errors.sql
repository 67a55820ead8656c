-- +goose Up

-- Groups of errors that operators do not want to see for now. Each is forgotten
-- after its time, when another is ignored. Texts are compared as bytes, as programs
-- do.
CREATE TABLE IF NOT EXISTS ignored_errors (
    outcome text COLLATE "C" NOT NULL, -- this and the next two name the group
    detail  text COLLATE "C" NOT NULL,
    lane    text COLLATE "C" NOT NULL,
    until   timestamptz,               -- NULL for no date
    above   integer NOT NULL,          -- until so many in a day; 0 for no such end
    at      timestamptz NOT NULL,
    who     text NOT NULL,
    reason  text NOT NULL,
    PRIMARY KEY (outcome, detail, lane)
);

-- +goose Down
DROP TABLE ignored_errors;
