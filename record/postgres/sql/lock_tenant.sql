-- Takes the lock of a tenant, under which its jobs are recorded; see lock.go.
SELECT pg_advisory_xact_lock(2, hashtext(@tenant))::text
