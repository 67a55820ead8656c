-- Notes that a claimed image strikes lanes. Counts a strike if others have
-- disproved the one before, or any earlier one and the lanes are up; then a new
-- one begins. Otherwise the one before goes on, from now if a lane is new in it.
-- Changes nothing if the claim has struck already. Returns a row if the claim
-- holds: how many strikes were disproved.
WITH striking AS (
    SELECT job_id, idx, coalesce(struck_at >= started_at, false) AS again,
           EXISTS (SELECT FROM lanes WHERE name = ANY (struck_lanes) AND proved_at > struck_at)
           OR strikes > 0 AND NOT EXISTS (
               SELECT FROM lanes WHERE name = ANY (@lanes::text[]) AND paused_until IS NOT NULL
           ) AS disproved
    FROM images
    WHERE job_id = @id AND idx = @idx AND claim = @claim AND status = 'processing'
    FOR UPDATE
)
UPDATE images i SET
    strikes = i.strikes + CASE WHEN disproved AND NOT again THEN 1 ELSE 0 END,
    struck_at = CASE WHEN again OR NOT disproved AND i.struck_lanes @> @lanes THEN i.struck_at ELSE now() END,
    struck_lanes = CASE
        WHEN again THEN i.struck_lanes
        WHEN disproved THEN @lanes
        ELSE ARRAY(SELECT DISTINCT unnest(i.struck_lanes || @lanes))
    END
FROM striking s WHERE i.job_id = s.job_id AND i.idx = s.idx
RETURNING i.strikes
