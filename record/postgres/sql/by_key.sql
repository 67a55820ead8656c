-- Finds the job that an idempotency key of a tenant belongs to.
SELECT id::text, fingerprint FROM jobs WHERE tenant = @tenant AND idempotency_key = @key
