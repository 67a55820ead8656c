-- +goose NO TRANSACTION
-- +goose Up

-- What closings of lanes an image has caused that others have disproved. The
-- columns are added without a rewrite. Each statement needs the table for a
-- moment, and gives up soon if somebody holds it for long, so that the service
-- does not queue up behind it. Then migrate has to be run again.
SET lock_timeout = '3s';
ALTER TABLE images
    ADD COLUMN IF NOT EXISTS struck_at timestamptz, -- when it last struck a lane that was not in struck_lanes yet
    ADD COLUMN IF NOT EXISTS struck_lanes text[], -- the lanes of the strike that others may disprove
    ADD COLUMN IF NOT EXISTS strikes integer NOT NULL DEFAULT 0; -- those that others have disproved
ALTER TABLE lanes
    ADD COLUMN IF NOT EXISTS proved_at timestamptz; -- when the last image was claimed that had a good answer after a pause
RESET lock_timeout;

-- +goose Down
ALTER TABLE lanes DROP COLUMN proved_at;
ALTER TABLE images DROP COLUMN struck_at, DROP COLUMN struck_lanes, DROP COLUMN strikes;
