-- Takes the locks of a user and of an address, whose tries to log in are counted;
-- see lock.go.
SELECT pg_advisory_xact_lock(3, key)::text FROM (
    SELECT DISTINCT hashtext(name) AS key FROM unnest(ARRAY['user ' || @user::text, 'address ' || @address::text]) AS name
    ORDER BY key OFFSET 0
) AS keys
