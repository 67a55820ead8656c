-- Finds the retry of a job that has not ended.
SELECT id::text FROM jobs WHERE retry_of = @retry_of AND completed_at IS NULL
