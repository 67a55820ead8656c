-- Writes a job and its images, and gives them their turns. Where the idempotency
-- key is taken, or a retry of the same job has not ended, it writes nothing: a
-- second call that runs at the same time waits for the first one's end. Nor does
-- it where too many of the tenant's images would wait. Returns one row in any
-- case: whether it wrote, and how many images of the tenant waited before. Runs
-- under the locks of the tenant, without which two jobs could take the same room,
-- and of the model, without which two jobs of one tenant could begin at the same
-- tag.
--
-- The first start tag is the tenant's finish tag, or the virtual time if that is
-- greater. A finish tag that is further away than the images explain that still
-- wait is one of images that were canceled or expired. An image without a lane is
-- parked, as park does it.
WITH before AS (
    SELECT coalesce(sum(waiting), 0)::bigint AS waiting FROM tenants WHERE tenant = @tenant
), created AS (
    INSERT INTO jobs (id, tenant, priority, input, metadata, idempotency_key, fingerprint, total, queued,
                      created_at, expires_at, search_text, retry_of, webhook_events)
    SELECT @id, @tenant, @priority, @input, @metadata, nullif(@idempotency_key, ''), @fingerprint, @total::integer, @total,
           now(), now() + @expires_in::interval, @search_text, @retry_of, @webhook_events::text[]
    FROM before WHERE @max_waiting::bigint = 0 OR waiting + @total <= @max_waiting
    ON CONFLICT DO NOTHING
    RETURNING id, created_at, expires_at
), described AS (
    INSERT INTO job_metadata (job_id, key, value, tenant, created_at)
    SELECT id, key, value, @tenant, created_at FROM created, unnest(@keys::text[], @values::text[]) AS of_job (key, value)
), began AS (
    SELECT greatest(v.virtual, least(t.finish, v.virtual + (t.waiting + 1) / t.weight)) AS tag
    FROM created
    CROSS JOIN LATERAL (
        SELECT coalesce(max(virtual), 0) AS virtual FROM turns WHERE model = @model AND priority = @priority
    ) AS v
    LEFT JOIN tenants t ON t.model = @model AND t.priority = @priority AND t.tenant = @tenant
), counted_turns AS (
    INSERT INTO turns (model, priority) SELECT @model, @priority FROM created ON CONFLICT DO NOTHING
), counted_tenant AS (
    INSERT INTO tenants AS t (model, priority, tenant, finish, weight, waiting)
    SELECT @model, @priority, @tenant, tag + @total::integer / @weight::float8, @weight, @total FROM began
    ON CONFLICT (model, priority, tenant) DO UPDATE SET
        finish = excluded.finish, weight = excluded.weight, waiting = t.waiting + excluded.waiting
    RETURNING tenant
), counted_lanes AS (
    INSERT INTO lanes AS l (name, waiting)
    SELECT name, count(*) FROM counted_tenant, unnest(@lanes::text[]) AS name
    GROUP BY name ORDER BY name
    ON CONFLICT (name) DO UPDATE SET waiting = l.waiting + excluded.waiting
), placed AS (
    INSERT INTO images (job_id, idx, model, priority, recorded_at, expires_at, start_tag,
                        task_job_id, task_idx, task_dispatch, task_lane, handed_out_at,
                        dispatch, enqueued, ready, due_at)
    SELECT id, n - 1, @model, @priority, created_at, expires_at, tag + (n - 1) / @weight::float8,
           id, n - 1, (lane <> '')::int, lane, created_at,
           (lane <> '')::int, lane = '', lane <> '', CASE WHEN lane = '' THEN expires_at ELSE created_at END
    FROM created, began, unnest(@lanes::text[]) WITH ORDINALITY AS of_image (lane, n)
)
SELECT EXISTS (SELECT FROM created), waiting FROM before
