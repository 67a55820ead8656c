-- Takes the locks of several models; see lock.go.
SELECT pg_advisory_xact_lock(1, model)::text FROM (
    SELECT DISTINCT hashtext(model) AS model FROM unnest(@models::text[]) AS model ORDER BY model
) AS models
