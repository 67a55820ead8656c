-- Lets no other transaction begin that needs the models of images to stay, and
-- waits for those that run; see lock.go.
SELECT pg_advisory_xact_lock(2, 0)::text
