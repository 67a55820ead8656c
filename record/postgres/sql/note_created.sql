-- Writes to the audit that a job was made of another one by hand, if this
-- transaction has recorded it. Returns the entry's id then.
INSERT INTO audit (at, who, role, action, target, reason, detail)
SELECT now(), @who, @role, @action, @of, @reason, jsonb_build_object('as', id::text, 'pictures', total::text)
    || CASE WHEN @bulk::text = '' THEN '{}'::jsonb ELSE jsonb_build_object('bulk', @bulk) END
FROM jobs WHERE id = @id AND xmin = pg_current_xact_id()::xid
RETURNING id
