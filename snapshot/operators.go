package snapshot

import (
	"context"
	"time"

	"github.com/ai-worker/ai-worker/record"
)

// What operators do to lanes changes no job. It shows in snapshots that are made
// from then on: those of unfinished jobs are believed for MaxAge.

// Overview implements record.Operators.
func (r *Record) Overview(ctx context.Context) (record.Overview, error) {
	return r.record.Overview(ctx)
}

// PauseByHand implements record.Operators.
func (r *Record) PauseByHand(ctx context.Context, lane string, a record.Act) error {
	return r.record.PauseByHand(ctx, lane, a)
}

// ResumeByHand implements record.Operators.
func (r *Record) ResumeByHand(ctx context.Context, lane string, a record.Act) error {
	return r.record.ResumeByHand(ctx, lane, a)
}

// Audit implements record.Operators.
func (r *Record) Audit(ctx context.Context, q record.AuditQuery) (record.AuditPage, error) {
	return r.record.Audit(ctx, q)
}

// RetireAudit implements record.Operators.
func (r *Record) RetireAudit(ctx context.Context, limit int) (int, error) {
	return r.record.RetireAudit(ctx, limit)
}

// BeginLogin implements record.Operators.
func (r *Record) BeginLogin(ctx context.Context, t record.LoginTry) error {
	return r.record.BeginLogin(ctx, t)
}

// EndLogin implements record.Operators.
func (r *Record) EndLogin(ctx context.Context, t record.LoginTry, a record.Act) error {
	return r.record.EndLogin(ctx, t, a)
}

// EndSession implements record.Operators.
func (r *Record) EndSession(ctx context.Context, id string, lasts time.Duration, a record.Act) error {
	return r.record.EndSession(ctx, id, lasts, a)
}

// SessionEnded implements record.Operators.
func (r *Record) SessionEnded(ctx context.Context, id string) (bool, error) {
	return r.record.SessionEnded(ctx, id)
}
