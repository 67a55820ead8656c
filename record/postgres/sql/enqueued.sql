-- Notes that tasks are on a queue. Goes by the task and not by the image, since
-- a delivery may have exchanged them in the meantime.
UPDATE images i SET enqueued = true
FROM unnest(@jobs::uuid[], @idxs::int[], @dispatches::int[]) AS t (job_id, idx, dispatch)
WHERE i.task_job_id = t.job_id AND i.task_idx = t.idx AND i.task_dispatch = t.dispatch
  AND i.status IN ('queued', 'processing') AND NOT i.enqueued
RETURNING i.idx
