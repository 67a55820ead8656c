-- Counts the latest attempts, @look at most, by lane and outcome.
SELECT lane, outcome, count(*), min(ended_at) FROM (
    SELECT lane, outcome, ended_at FROM attempts
    WHERE ended_at >= now() - @since::interval
    ORDER BY ended_at DESC LIMIT @look
) AS latest
GROUP BY lane, outcome ORDER BY lane COLLATE "C", outcome COLLATE "C"
