-- Takes the lock of a model; see lock.go.
SELECT pg_advisory_xact_lock(1, hashtext(@model))::text
