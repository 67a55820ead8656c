-- Takes the lock of groups of errors that are ignored; see lock.go.
SELECT pg_advisory_xact_lock(4, 0)::text
