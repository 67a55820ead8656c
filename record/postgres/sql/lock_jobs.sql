-- Takes the locks of the models of jobs' images; see lock.go.
SELECT pg_advisory_xact_lock(1, model)::text FROM (
    SELECT DISTINCT hashtext(model) AS model FROM images WHERE job_id = ANY (@jobs::uuid[]) ORDER BY model
) AS models
