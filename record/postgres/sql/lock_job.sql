-- Takes the locks of the models of a job's images; see lock.go.
SELECT pg_advisory_xact_lock(1, model)::text FROM (
    SELECT DISTINCT hashtext(model) AS model FROM images WHERE job_id = @id ORDER BY model
) AS models
