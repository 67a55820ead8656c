-- Removes a job that has ended. Returns the id of the job as it was before,
-- ended or not, if there is one.
WITH deleted AS (
    DELETE FROM jobs WHERE id = @id AND completed_at IS NOT NULL
)
SELECT id::text FROM jobs WHERE id = @id
