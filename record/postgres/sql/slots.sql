-- Counts the attempts that were begun since a time by lane, minute and outcome, out
-- of the latest @look attempts that ended since then. What was begun before, or on
-- another lane than @lane, is counted without these.
SELECT on_lane, minute, ended, count(*), min(ended_at) FROM (
    SELECT CASE WHEN wanted THEN lane END AS on_lane, CASE WHEN wanted THEN date_trunc('minute', started_at, 'UTC') END AS minute,
           CASE WHEN wanted THEN outcome END AS ended, ended_at
    FROM (
        SELECT lane, outcome, started_at, ended_at, started_at >= @since AND (@lane::text = '' OR lane = @lane) AS wanted FROM attempts
        WHERE ended_at >= @since
        ORDER BY ended_at DESC LIMIT @look
    ) AS latest
) AS told
GROUP BY on_lane, minute, ended ORDER BY on_lane COLLATE "C", minute
