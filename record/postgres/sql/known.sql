-- Tells which of the ids a job has.
SELECT id::text FROM jobs WHERE id = ANY (@ids::uuid[]) ORDER BY id
