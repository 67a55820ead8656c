-- Settles images that ended long ago and have a reservation left. Passes over what is
-- locked. Returns a row for each.
WITH ending AS (
    SELECT job_id, idx FROM images
    WHERE completed_at <= now() - @age::interval AND reserved_micros > 0 AND NOT settled
    ORDER BY completed_at, job_id, idx
    LIMIT @limit FOR UPDATE SKIP LOCKED
), moved AS (
    UPDATE images i SET settled = true FROM ending e WHERE i.job_id = e.job_id AND i.idx = e.idx
    RETURNING i.idx, i.budgets, i.reserved_micros,
        CASE WHEN i.status = 'succeeded' THEN coalesce(i.bound_micros, i.cost_micros) ELSE 0 END + i.billed_micros - i.counted_micros AS spent
), due AS (
    SELECT budget AS id, sum(reserved_micros)::bigint AS reserved, sum(spent)::bigint AS spent
    FROM moved, unnest(budgets) AS budget GROUP BY budget
), locked AS (
    SELECT b.id FROM budgets b JOIN due ON due.id = b.id ORDER BY b.scope, b.starts_at, b.ends_at FOR UPDATE OF b
), settled AS (
    UPDATE budgets b SET reserved_micros = b.reserved_micros - due.reserved, spent_micros = b.spent_micros + due.spent
    FROM locked JOIN due ON due.id = locked.id WHERE b.id = locked.id
)
SELECT idx FROM moved
