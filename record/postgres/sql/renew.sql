-- Makes the lease of a claim end later. Returns a row if the claim holds.
UPDATE images SET due_at = clock_timestamp() + @lease::interval
WHERE job_id = @id AND idx = @idx AND claim = @claim AND status = 'processing'
RETURNING idx
