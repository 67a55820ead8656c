package recordtest

import (
	"pgregory.net/rapid"

	"github.com/ai-worker/ai-worker/record"
)

// What operators do to single jobs, in random histories.

func (h *history) cancelByHand(*rapid.T) {
	id, a := latestOf(h, "job", h.jobs), h.drawAct()
	want, wantErr := h.spec.CancelByHand(h.ctx, id, a)
	got, gotErr := h.real.CancelByHand(h.ctx, id, a)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) deleteByHand(*rapid.T) {
	id, a := latestOf(h, "job", h.jobs), h.drawAct()
	same(h, 0, h.spec.DeleteByHand(h.ctx, id, a), 0, h.real.DeleteByHand(h.ctx, id, a))
}

func (h *history) replayByHand(*rapid.T) {
	w, a := h.anyWebhook(), h.drawAct()
	want, wantErr := h.spec.ReplayWebhookByHand(h.ctx, w.JobID, w.ID, a)
	got, gotErr := h.real.ReplayWebhookByHand(h.ctx, w.JobID, w.ID, a)
	same(h, want, wantErr, got, gotErr)
}

// createByHand makes a job of another one, or repeats a request.
func (h *history) createByHand(*rapid.T) {
	d := h.draft()
	if rapid.Bool().Draw(h.T, "again") {
		again := latestOf(h, "draft", h.drafts)
		again.ID = d.ID
		d = again
	}
	d.ByHand = &record.ByHand{Act: h.drawAct(), Of: latestOf(h, "job", h.jobs)}
	h.submit(d)
}

func (h *history) inspect(*rapid.T) { h.compareInspection(latestOf(h, "job", h.jobs)) }

func (h *history) compareInspection(id string) {
	want, wantErr := h.spec.Inspect(h.ctx, id)
	got, gotErr := h.real.Inspect(h.ctx, id)
	same(h, want, wantErr, got, gotErr)
}
