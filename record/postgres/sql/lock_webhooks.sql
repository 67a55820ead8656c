-- Locks the webhooks of a job that wait, in the order in which whatever takes
-- several of them does.
SELECT id FROM webhooks WHERE job_id = @id AND state = 'waiting' ORDER BY job_id, id FOR UPDATE
