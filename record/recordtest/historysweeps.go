package recordtest

import (
	"pgregory.net/rapid"
)

// The parts of a sweep, in random histories.

func (h *history) unsent(*rapid.T) {
	age, limit := h.age(), h.limit()
	want, wantErr := h.spec.Unsent(h.ctx, age, limit)
	got, gotErr := h.real.Unsent(h.ctx, age, limit)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) unheard(*rapid.T) {
	age, limit := h.age(), h.limit()
	want, wantErr := h.spec.Unheard(h.ctx, age, limit)
	got, gotErr := h.real.Unheard(h.ctx, age, limit)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) reap(*rapid.T) {
	grace, limit := h.age(), h.limit()
	want, wantTasks, wantErr := h.spec.Reap(h.ctx, grace, limit)
	got, gotTasks, gotErr := h.real.Reap(h.ctx, grace, limit)
	same(h, want, wantErr, got, gotErr)
	same(h, wantTasks, nil, gotTasks, nil)
	h.noteHandedOut(wantErr, wantTasks...)
}

func (h *history) expire(*rapid.T) {
	limit := h.limit()
	want, wantErr := h.spec.Expire(h.ctx, timedOut, limit)
	got, gotErr := h.real.Expire(h.ctx, timedOut, limit)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) expireJob(*rapid.T) {
	id := latestOf(h, "job", h.jobs)
	want, wantErr := h.spec.ExpireJob(h.ctx, id, timedOut)
	got, gotErr := h.real.ExpireJob(h.ctx, id, timedOut)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) retired(*rapid.T) {
	age, limit := h.age(), h.limit()
	want, wantErr := h.spec.Retired(h.ctx, age, limit)
	got, gotErr := h.real.Retired(h.ctx, age, limit)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) remove(*rapid.T) {
	id := latestOf(h, "job", h.jobs)
	same(h, 0, h.spec.Delete(h.ctx, id), 0, h.real.Delete(h.ctx, id))
}

func (h *history) known(*rapid.T) {
	ids := []string{latestOf(h, "job", h.jobs), latestOf(h, "job", h.jobs), "ffffffff-0000-7000-8000-000000000000"}
	want, wantErr := h.spec.Known(h.ctx, ids...)
	got, gotErr := h.real.Known(h.ctx, ids...)
	same(h, want, wantErr, got, gotErr)
}
