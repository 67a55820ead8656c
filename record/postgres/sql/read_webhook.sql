-- Reads a webhook.
SELECT id, job_id::text, event, coalesce(image_index, 0), happened_at, version, status,
       state, tries, round_from, renewed, next_at, log::text
FROM webhooks WHERE job_id = @id AND id = @webhook_id
