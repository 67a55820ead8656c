-- Counts the images of a tenant that wait, of all models and priorities.
SELECT coalesce(sum(waiting), 0)::bigint FROM tenants WHERE tenant = @tenant
