-- Reads bulks that have not ended, the first one first.
SELECT id::text, action, search, query, expected_jobs, expected_more, expected_pictures, expected_micros, who, role, reason,
       started_at, state, moved_at, ended_at, aborted_by, abort_reason, cursor, steps, tries, done, skipped, failed, samples
FROM bulks WHERE ended_at IS NULL ORDER BY started_at, bulks.id LIMIT @limit
