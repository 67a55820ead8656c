-- Measures how long attempts that succeeded waited and ran, by the stretch of time in
-- which they ended, out of the latest @look attempts.
SELECT date_bin(@stretch::interval, ended_at, TIMESTAMPTZ 'epoch') AS begins, count(*),
       percentile_disc(0.5) WITHIN GROUP (ORDER BY waited), percentile_disc(0.95) WITHIN GROUP (ORDER BY waited),
       percentile_disc(0.5) WITHIN GROUP (ORDER BY ran), percentile_disc(0.95) WITHIN GROUP (ORDER BY ran)
FROM (
    SELECT outcome, ended_at, waited, greatest(interval '0', ended_at - started_at) AS ran FROM attempts
    WHERE ended_at >= now() - @since::interval
    ORDER BY ended_at DESC LIMIT @look
) AS latest
WHERE outcome = 'succeeded'
GROUP BY begins ORDER BY begins
