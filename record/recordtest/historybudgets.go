package recordtest

import (
	"time"

	"pgregory.net/rapid"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// What random histories do with budgets.

// budgets draws the budgets of a tenant: none, or one for all and one of its own,
// with periods of a day.
func (h *history) budgets(tenant string) record.Budgets {
	zone := time.UTC
	day := func(limit int64) job.Budget {
		return job.Budget{LimitMicros: limit, Per: job.PerDay, Zone: zone, Refuse: rapid.IntRange(0, 4).Draw(h.T, "refuse") == 0}
	}
	set := make(job.Budgets)
	if draw(h, "a budget for all", true, false) {
		set[job.ServiceBudget] = day(draw[int64](h, "its limit", 300_000, 600_000, 150_000))
	}
	if draw(h, "a budget", true, false) {
		set[job.TenantBudget(tenant)] = day(draw[int64](h, "limit", 120_000, 250_000, 40_000))
	}
	return record.Budgets{Periods: set.Of(tenant, h.now), Webhooks: draw(h, "told by webhook", true, true, false)}
}

// counting returns a draft that adds to told what reaches a level.
func counting(d record.Draft, told *[]record.BudgetState) record.Draft {
	d.Budgets.Crossed = func(s record.BudgetState) { *told = append(*told, s) }
	return d
}

// release releases one of the images that are held, or one that is not.
func (h *history) release(*rapid.T) {
	except := draw(h, "except", nil, nil, []job.BudgetScope{job.ServiceBudget}, []job.BudgetScope{job.TenantBudget(tenant)})
	limit := h.limit()
	want, wantErr := h.spec.Held(h.ctx, except, limit)
	got, gotErr := h.real.Held(h.ctx, except, limit)
	same(h, want, wantErr, got, gotErr)
	img := record.HeldImage{JobID: latestOf(h, "job", h.jobs)}
	if len(want) > 0 {
		img = want[0]
	}
	b := h.budgets(img.Tenant)
	wantErr = h.spec.Release(h.ctx, img, b)
	gotErr = h.real.Release(h.ctx, img, b)
	same(h, 0, wantErr, 0, gotErr)
}

func (h *history) settle(*rapid.T) {
	age, limit := h.age(), h.limit()
	want, wantErr := h.spec.Settle(h.ctx, age, limit)
	got, gotErr := h.real.Settle(h.ctx, age, limit)
	same(h, want, wantErr, got, gotErr)
}

// raise sets what is added to a budget's limit, or fails to, and reads all budgets.
func (h *history) raise(*rapid.T) {
	for _, p := range h.budgets(tenant).Periods {
		r := record.BudgetRaise{
			Period: p, WasMicros: draw[int64](h, "was", 0, 0, 100_000, record.LiftMicros), Micros: draw[int64](h, "micros", 0, 100_000, record.LiftMicros),
		}
		a := record.Act{Who: "alice", Role: "admin", Action: record.ActionRaiseBudget, Reason: "more"}
		wantErr := h.spec.RaiseBudget(h.ctx, r, a)
		gotErr := h.real.RaiseBudget(h.ctx, r, a)
		same(h, 0, wantErr, 0, gotErr)
	}
	want, wantErr := h.spec.Budgets(h.ctx)
	got, gotErr := h.real.Budgets(h.ctx)
	same(h, want, wantErr, got, gotErr)
}

func (h *history) retireBudgets(*rapid.T) {
	limit := h.limit()
	want, wantErr := h.spec.RetireBudgets(h.ctx, limit)
	got, gotErr := h.real.RetireBudgets(h.ctx, limit)
	same(h, want, wantErr, got, gotErr)
}
