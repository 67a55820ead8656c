package recordtest

import (
	"time"

	"pgregory.net/rapid"

	"github.com/ai-worker/ai-worker/record"
)

// What random histories do to attempts and to what they came to.

func (h *history) noteAttempt(*rapid.T) {
	c, stored := latestOf(h, "claim", h.claims).reported(h), rapid.Bool().Draw(h.T, "stored")
	same(h, 0, h.spec.NoteAttempt(h.ctx, c.spec, stored), 0, h.real.NoteAttempt(h.ctx, c.real, stored))
}

func (h *history) attempts(*rapid.T) { h.compareAttempts(latestOf(h, "job", h.jobs)) }

func (h *history) compareAttempts(jobID string) {
	want, wantErr := h.spec.Attempts(h.ctx, jobID)
	got, gotErr := h.real.Attempts(h.ctx, jobID)
	same(h, want, wantErr, got, gotErr)
}

// retireAttempts removes attempts, now and then after their time.
func (h *history) retireAttempts(*rapid.T) {
	if rapid.IntRange(0, 9).Draw(h.T, "later") == 0 {
		h.pass(record.AttemptsKept)
	}
	limit := h.limit()
	want, wantErr := h.spec.RetireAttempts(h.ctx, limit)
	got, gotErr := h.real.RetireAttempts(h.ctx, limit)
	same(h, want, wantErr, got, gotErr)
}

// zones are such in which days begin at odd times, or have 23 or 25 hours.
func zones() []*time.Location {
	var zones []*time.Location
	for _, name := range []string{"UTC", "Asia/Kolkata", "America/Los_Angeles"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			panic(err)
		}
		zones = append(zones, zone)
	}
	return append(zones, nil)
}

func (h *history) spend(*rapid.T) {
	by := func(what string) bool { return rapid.Bool().Draw(h.T, what) }
	h.compareSpend(record.SpendQuery{
		From: h.now.Add(-draw(h, "from", 1000*time.Hour, time.Hour, 0)), To: h.now.Add(draw(h, "to", time.Hour, 0)),
		Zone: draw(h, "zone", zones()...), Limit: h.limit(),
		Whole: by("whole"), Lane: by("lane"), Model: by("model"), Tenant: by("tenant"), Outcome: by("outcome"),
	})
}

func (h *history) compareSpend(q record.SpendQuery) {
	want, wantErr := h.spec.Spend(h.ctx, q)
	got, gotErr := h.real.Spend(h.ctx, q)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) forgetSpend(*rapid.T) {
	age, limit := draw(h, "age", 25*time.Hour, time.Hour, 0), h.limit()
	want, wantErr := h.spec.ForgetSpend(h.ctx, age, limit)
	got, gotErr := h.real.ForgetSpend(h.ctx, age, limit)
	same(h, want, wantErr, got, gotErr)
}
