-- Takes the locks of the models of tasks; see lock.go.
SELECT pg_advisory_xact_lock(1, model)::text FROM (
    SELECT DISTINCT hashtext(i.model) AS model FROM images i
    JOIN unnest(@jobs::uuid[], @idxs::int[]) AS t (job_id, idx) ON i.job_id = t.job_id AND i.idx = t.idx
    ORDER BY model
) AS models
