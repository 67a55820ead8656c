-- Removes sums of hours of long ago, the oldest first. Returns a row for each.
WITH old AS (
    SELECT hour, lane, model, tenant, outcome FROM hourly
    WHERE hour <= now() - @age::interval
    ORDER BY hour, lane, model, tenant, outcome
    LIMIT @limit FOR UPDATE SKIP LOCKED
)
DELETE FROM hourly h USING old o
WHERE h.hour = o.hour AND h.lane = o.lane AND h.model = o.model AND h.tenant = o.tenant AND h.outcome = o.outcome
RETURNING h.outcome
