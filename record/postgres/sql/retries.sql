-- Finds a retry of each of the jobs that has one: one that a bulk made, or else the
-- latest. Tells whether the bulk made it. It looks for the bulk's id in the text of the
-- input, since operators on JSON fail if a prompt has a NUL. Within a text of the input,
-- quotes have a backslash before them, so nothing else looks like that member.
SELECT DISTINCT ON (retry_of) retry_of::text, id::text, own
FROM (
    SELECT retry_of, id, strpos(input::text, '"bulk":"' || @bulk::text || '"') > 0 AS own
    FROM jobs WHERE retry_of = ANY (@jobs::uuid[])
) AS retries
ORDER BY retry_of, own DESC, retries.id DESC
