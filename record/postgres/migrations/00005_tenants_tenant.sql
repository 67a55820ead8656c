-- +goose NO TRANSACTION
-- +goose Up

-- How many images of a tenant wait is asked with every job that it submits. The
-- column that counts them is not in the index, so that the rows are still
-- rewritten in place. See 00002 for how it is built.
DROP INDEX CONCURRENTLY IF EXISTS tenants_tenant;
CREATE INDEX CONCURRENTLY tenants_tenant ON tenants (tenant);

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS tenants_tenant;
