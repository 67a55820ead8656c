-- Returns the newest jobs of a tenant that have a pair of metadata, look at most,
-- and whether each is one that the query wants: of one of the statuses, and with
-- all other pairs.
SELECT j.id::text, j.created_at,
       j.status = ANY (@statuses::text[])
       AND (@text::text = '' OR strpos(coalesce(j.search_text, ''), @text) > 0)
       AND NOT EXISTS (
           SELECT FROM unnest(@keys::text[], @values::text[]) AS p (key, value)
           WHERE NOT EXISTS (SELECT FROM job_metadata m WHERE m.job_id = j.id AND m.key = p.key AND m.value = p.value)
       ) AS wanted
FROM (
    SELECT job_id FROM job_metadata
    WHERE tenant = @tenant AND key = @key AND value = @value
      AND created_at >= coalesce(@from, '-infinity'::timestamptz) AND created_at < coalesce(@to, 'infinity'::timestamptz)
      AND (created_at, job_id) < (coalesce(@after_time, 'infinity'::timestamptz), coalesce(@after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
    ORDER BY created_at DESC, job_id DESC LIMIT @look
) AS c JOIN jobs j ON j.id = c.job_id
ORDER BY j.created_at DESC, j.id DESC
