-- Takes the locks of a claimed image and its job; see lock.go.
SELECT i.idx FROM images i JOIN jobs j ON j.id = i.job_id
WHERE i.job_id = @id AND i.idx = @idx AND i.claim = @claim AND i.status = 'processing' FOR UPDATE OF i, j
