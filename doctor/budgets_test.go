package doctor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/doctor"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
)

// Each row is how many pictures were asked for within a budget of two, what the budget
// is now, and what is said of it.
func TestBudgetsThatHoldPicturesAreNamed(t *testing.T) {
	t.Parallel()
	old := job.Budgets{job.TenantBudget("web"): {LimitMicros: 200, Per: job.PerMonth, Zone: time.UTC}}
	for name, tt := range map[string]struct {
		pictures int
		now      job.Budgets
		want     string // empty for nothing
	}{
		"room":    {1, old, ""},
		"no room": {3, old, "no room until"},
		"raised":  {3, job.Budgets{job.TenantBudget("web"): {LimitMicros: 2000, Per: job.PerMonth, Zone: time.UTC}}, "has room"},
		"not set": {3, nil, "not set any more"},
		// what the month used says nothing of a day
		"another span": {2, job.Budgets{job.TenantBudget("web"): {LimitMicros: 100, Per: job.PerDay, Zone: time.UTC}}, ""},
		"at limit":     {2, old, "$0.0002 reserved, of $0.0002"},
	} {
		rec := memory.New()
		_, _, err := rec.Create(t.Context(), record.Draft{
			ID: "0193a000-0000-7000-8000-000000000001", Tenant: "web", Weight: 1, ExpiresIn: time.Hour, PriceMicros: 100,
			Budgets: record.Budgets{Periods: old.Of("web", time.Now())},
			Input:   job.Input{Prompt: "a", Model: "m", Count: tt.pictures}, Lanes: []string{"a", "a", "a"}[:tt.pictures],
		})
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		for _, f := range (doctor.Work{Record: rec, Budgets: tt.now}).Check().Run(t.Context()) {
			if f.Subject == "tenant:web" {
				said += f.Message
			}
		}
		if (said == "") != (tt.want == "") || !strings.Contains(said, tt.want) {
			t.Errorf("%s: it says %q, want %q", name, said, tt.want)
		}
	}
}
