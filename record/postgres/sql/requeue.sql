-- Makes a claimed image wait for its next dispatch. Runs under the model's lock.
-- Returns a row if the claim held.
WITH moved AS (
    UPDATE images SET
        status = 'queued', attempts = attempts - CASE WHEN @give_back THEN 1 ELSE 0 END,
        dispatch = dispatch + 1, task_job_id = @id, task_idx = @idx, task_dispatch = dispatch + 1, task_lane = @lane,
        handed_out_at = now(), enqueued = false,
        ready = @after::interval <= interval '0', due_at = now() + @after::interval,
        error_code = @error_code, error_message = @error_message,
        billed_micros = billed_micros + @billed_micros
    WHERE job_id = @id AND idx = @idx AND claim = @claim AND status = 'processing'
    RETURNING job_id, model, priority
), counted AS (
    UPDATE jobs j SET version = version + 1, processing = processing - 1, queued = queued + 1
    FROM moved m WHERE j.id = m.job_id
    RETURNING j.tenant, m.model, m.priority
), counted_tenant AS (
    UPDATE tenants t SET waiting = waiting + 1
    FROM counted c WHERE t.model = c.model AND t.priority = c.priority AND t.tenant = c.tenant
    RETURNING t.tenant
)
INSERT INTO lanes AS l (name, waiting) SELECT @lane, 1 FROM counted_tenant
    ON CONFLICT (name) DO UPDATE SET waiting = l.waiting + excluded.waiting
RETURNING waiting
