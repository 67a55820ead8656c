-- Returns the newest jobs of a tenant, look at most, and whether each is one that
-- the query wants. Looks at each status by itself, so that one index has all of
-- the rest in its order.
SELECT c.id::text, c.created_at, @text::text = '' OR strpos(coalesce(c.search_text, ''), @text) > 0 AS wanted
FROM unnest(@statuses::text[]) AS of (status)
CROSS JOIN LATERAL (
    SELECT id, created_at, search_text FROM jobs
    WHERE tenant = @tenant AND status = of.status
      AND created_at >= coalesce(@from, '-infinity'::timestamptz) AND created_at < coalesce(@to, 'infinity'::timestamptz)
      AND (created_at, id) < (coalesce(@after_time, 'infinity'::timestamptz), coalesce(@after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
    ORDER BY created_at DESC, id DESC LIMIT @look
) AS c
ORDER BY c.created_at DESC, c.id DESC LIMIT @look
