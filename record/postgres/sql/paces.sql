-- Measures how long the latest attempts that succeeded waited and ran, by lane:
-- @paces at most, out of the latest @look attempts.
SELECT lane, count(*),
       percentile_disc(0.5) WITHIN GROUP (ORDER BY waited), percentile_disc(0.95) WITHIN GROUP (ORDER BY waited),
       percentile_disc(0.5) WITHIN GROUP (ORDER BY ran), percentile_disc(0.95) WITHIN GROUP (ORDER BY ran)
FROM (
    SELECT lane, waited, greatest(interval '0', ended_at - started_at) AS ran FROM (
        SELECT lane, outcome, waited, started_at, ended_at FROM attempts
        WHERE ended_at >= now() - @since::interval
        ORDER BY ended_at DESC LIMIT @look
    ) AS latest
    WHERE outcome = 'succeeded' ORDER BY ended_at DESC LIMIT @paces
) AS measured
GROUP BY lane
