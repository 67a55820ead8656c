package snapshot

import (
	"context"

	"github.com/ai-worker/ai-worker/record"
)

// Which errors operators ignore changes no job.

// IgnoreError implements record.Ignorer.
func (r *Record) IgnoreError(ctx context.Context, i record.Ignore, a record.Act) error {
	return r.record.IgnoreError(ctx, i, a)
}

// NoticeError implements record.Ignorer.
func (r *Record) NoticeError(ctx context.Context, name record.ErrorName, a record.Act) error {
	return r.record.NoticeError(ctx, name, a)
}

// IgnoredErrors implements record.Ignorer.
func (r *Record) IgnoredErrors(ctx context.Context) ([]record.IgnoredError, error) {
	return r.record.IgnoredErrors(ctx)
}
