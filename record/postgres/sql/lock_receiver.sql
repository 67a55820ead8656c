-- Locks a job, before all its webhooks are moved. Jobs are locked before webhooks,
-- and no transition records one meanwhile.
SELECT id::text FROM jobs WHERE id = @id FOR NO KEY UPDATE
