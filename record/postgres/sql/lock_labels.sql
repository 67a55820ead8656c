-- Keeps the models of all images as they are; see lock.go.
SELECT pg_advisory_xact_lock_shared(2, 0)::text
