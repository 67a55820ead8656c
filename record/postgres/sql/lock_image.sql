-- Takes the lock of an image's model; see lock.go.
SELECT pg_advisory_xact_lock(1, hashtext(model))::text FROM images WHERE job_id = @id AND idx = @idx
