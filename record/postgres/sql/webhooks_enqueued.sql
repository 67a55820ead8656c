-- Notes that tasks of webhooks are on the queue, each if it is that of the next
-- try. Returns the ids of those.
WITH named AS (
    SELECT w.job_id, w.id FROM webhooks w
    JOIN unnest(@jobs::uuid[], @ids::text[], @tries::integer[], @renewals::integer[]) AS t (job_id, id, try, renewed)
      ON w.job_id = t.job_id AND w.id = t.id
    WHERE w.state = 'waiting' AND NOT w.sent AND w.tries + 1 = t.try AND w.renewed = t.renewed
    ORDER BY w.job_id, w.id FOR UPDATE OF w
)
UPDATE webhooks w SET sent = true FROM named n WHERE w.job_id = n.job_id AND w.id = n.id
RETURNING w.id
