-- Records a step of a bulk, if none was recorded since the bulk was read. Returns the
-- bulk as it is then.
UPDATE bulks SET
    cursor = @cursor::text, steps = steps + 1, tries = @tries::integer, done = @done::integer, skipped = @skipped::integer,
    failed = @failed::integer, samples = @samples::text::jsonb, moved_at = now(),
    ended_at = CASE WHEN @end::boolean THEN now() END,
    state = CASE WHEN NOT @end THEN state WHEN state = 'aborting' THEN 'aborted' ELSE 'done' END
WHERE id = @id AND steps = @steps::integer AND ended_at IS NULL
RETURNING id::text, action, search, query, expected_jobs, expected_more, expected_pictures, expected_micros, who, role, reason,
       started_at, state, moved_at, ended_at, aborted_by, abort_reason, cursor, steps, tries, done, skipped, failed, samples
