package recordtest

import (
	"time"

	"pgregory.net/rapid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// What operators read of random histories.

// detail draws words of a provider, some of which are alike.
func (h *history) detail() string {
	return draw(h, "detail", "HTTP 429", "HTTP 503", "", "Quota 'a' of \"b\", id 0193ab-7f3, can't", "Quota 'c' of `d`, id 8b-22c1, can't\n(' \\1 ä")
}

// search walks through all pages of a search, and counts what it finds.
func (h *history) search(*rapid.T) {
	q := record.SearchQuery{
		ID: draw(h, "id part", "", "", "", "00000003", "00000004-0000-7", "0000000", "no id"), Tenant: draw(h, "tenant", "", "", tenant, rival),
		Statuses:      draw(h, "statuses", nil, nil, []job.Status{job.StatusQueued}, []job.Status{job.StatusPartial, job.StatusFailed, job.StatusSucceeded}),
		MinCostMicros: draw[int64](h, "cost", 0, 0, 34_000, 38_701), Text: draw(h, "text", "", "", "LIGHT", "dark"),
		Code: draw(h, "code", "", "", blocked.Code, timedOut.Code), Lane: draw(h, "lane", "", "", lane, spare), Model: draw(h, "model", "", "", model, other),
		Limit: rapid.IntRange(1, 3).Draw(h.T, "limit"),
	}
	if rapid.Bool().Draw(h.T, "bounded") {
		q.After, q.Before = h.idTime(), h.idTime()
	}
	want, wantErr := h.spec.Count(h.ctx, q)
	got, gotErr := h.real.Count(h.ctx, q)
	same(h, want, wantErr, got, gotErr)
	for more := true; more; more = q.Cursor != "" {
		want, wantErr := h.spec.Search(h.ctx, q)
		got, gotErr := h.real.Search(h.ctx, q)
		same(h, want, wantErr, got, gotErr)
		q.Cursor = want.Next
	}
}

// idTime draws a time of drawn ids, or none. Their first 32 bits are a number below
// ten.
func (h *history) idTime() time.Time {
	n := rapid.Int64Range(-1, 9).Draw(h.T, "id time")
	if n < 0 {
		return time.Time{}
	}
	return time.UnixMilli(n << 16)
}

// pictures walks through all stored pictures.
func (h *history) pictures(*rapid.T) {
	q := record.PictureQuery{
		Tenant: draw(h, "tenant", "", tenant, rival), Model: draw(h, "model", "", model, other), Limit: rapid.IntRange(1, 2).Draw(h.T, "limit"),
	}
	for more := true; more; more = q.Cursor != "" {
		want, wantErr := h.spec.Pictures(h.ctx, q)
		got, gotErr := h.real.Pictures(h.ctx, q)
		same(h, want, wantErr, got, gotErr)
		q.Cursor = want.Next
	}
}

func (h *history) activity(*rapid.T) {
	want, wantErr := h.spec.Activity(h.ctx)
	got, gotErr := h.real.Activity(h.ctx)
	same(h, want, wantErr, got, gotErr)
	on, since := draw(h, "lane", "", lane, spare), h.now.Add(-h.age())
	wantSlots, wantErr := h.spec.Slots(h.ctx, on, since)
	gotSlots, gotErr := h.real.Slots(h.ctx, on, since)
	same(h, wantSlots, wantErr, gotSlots, gotErr)
}

func (h *history) errors(*rapid.T) {
	since, limit := h.now.Add(-draw(h, "since", 1000*time.Hour, time.Hour, 0)), h.limit()
	want, wantErr := h.spec.Errors(h.ctx, since, limit)
	got, gotErr := h.real.Errors(h.ctx, since, limit)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) laneFailures(*rapid.T) {
	on, since, limit := draw(h, "lane", lane, spare, ""), h.now.Add(-draw(h, "since", 1000*time.Hour, time.Hour, 0)), h.limit()
	want, wantErr := h.spec.LaneFailures(h.ctx, on, since, limit)
	got, gotErr := h.real.LaneFailures(h.ctx, on, since, limit)
	same(h, want, wantErr, got, gotErr)
}
