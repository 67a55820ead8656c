package recordtest

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/ai-worker/ai-worker/record"
)

// What operators do, in random histories.

func (h *history) drawAct() record.Act {
	return record.Act{
		Who: draw(h, "who", "alice", "bob"), Role: "operator", Action: draw(h, "act", record.ActionPauseLane, record.ActionLogIn),
		Reason: draw(h, "why", "", "because"),
	}
}

func (h *history) pauseByHand(*rapid.T) {
	l, a := h.anyLane(), h.drawAct()
	same(h, 0, h.spec.PauseByHand(h.ctx, l, a), 0, h.real.PauseByHand(h.ctx, l, a))
}

func (h *history) resumeByHand(*rapid.T) {
	l, a := h.anyLane(), h.drawAct()
	same(h, 0, h.spec.ResumeByHand(h.ctx, l, a), 0, h.real.ResumeByHand(h.ctx, l, a))
}

// audit walks through all pages of a query.
func (h *history) audit(*rapid.T) {
	q := record.AuditQuery{
		Who: draw(h, "who", "", "alice"), Target: draw(h, "target", "", lane), Limit: rapid.IntRange(1, 3).Draw(h.T, "limit"),
	}
	for more := true; more; more = q.Before != 0 {
		want, wantErr := h.spec.Audit(h.ctx, q)
		got, gotErr := h.real.Audit(h.ctx, q)
		same(h, want, wantErr, got, gotErr)
		q.Before = want.Next
	}
}

// retireAudit removes entries, now and then after their time.
func (h *history) retireAudit(*rapid.T) {
	if rapid.IntRange(0, 9).Draw(h.T, "later") == 0 {
		h.pass(record.AuditKept)
	}
	limit := h.limit()
	want, wantErr := h.spec.RetireAudit(h.ctx, limit)
	got, gotErr := h.real.RetireAudit(h.ctx, limit)
	same(h, want, wantErr, got, gotErr)
}

// logins tries to log in often, and sometimes succeeds.
func (h *history) logins(*rapid.T) {
	for range rapid.IntRange(1, record.MaxFailedLogins+2).Draw(h.T, "tries") {
		h.tries++
		t := record.LoginTry{
			ID:   fmt.Sprintf("00000000-0000-4000-8000-%012x", h.tries),
			User: draw(h, "user", "alice", "alice", "bob"), Address: draw(h, "address", "192.0.2.1", "192.0.2.2"),
		}
		wantErr := h.spec.BeginLogin(h.ctx, t)
		same(h, 0, wantErr, 0, h.real.BeginLogin(h.ctx, t))
		if wantErr == nil && rapid.IntRange(0, 3).Draw(h.T, "succeeds") == 0 {
			a := h.drawAct()
			same(h, 0, h.spec.EndLogin(h.ctx, t, a), 0, h.real.EndLogin(h.ctx, t, a))
		}
	}
}

func (h *history) endSession(*rapid.T) {
	id, lasts, a := draw(h, "session", "one", "two"), h.age(), h.drawAct()
	same(h, 0, h.spec.EndSession(h.ctx, id, lasts, a), 0, h.real.EndSession(h.ctx, id, lasts, a))
}

// compareOperators compares what tells of all that operators see.
func (h *history) compareOperators(*rapid.T) {
	want, wantErr := h.spec.Overview(h.ctx)
	got, gotErr := h.real.Overview(h.ctx)
	same(h, want, wantErr, got, gotErr)
	for _, id := range []string{"one", "two"} {
		want, wantErr := h.spec.SessionEnded(h.ctx, id)
		got, gotErr := h.real.SessionEnded(h.ctx, id)
		same(h, want, wantErr, got, gotErr)
	}
}
