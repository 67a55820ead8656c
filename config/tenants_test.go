package config_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/config"
	"github.com/ai-worker/ai-worker/job"
)

func TestTenantsGoBeforeWhatHoldsForAll(t *testing.T) {
	cfg, err := config.Load(getenv(with(production(),
		"API_KEYS", "web:hunter2hunter2hunter2:3,batch:hunter2hunter2hunter3:0.5,web:hunter2hunter2hunter4",
		"TENANTS", `{"web": {"weight": 2, "max_waiting_pictures": 500, "max_cost_usd": 0.1}, "batch": {"max_cost_usd": 5}}`)))
	want := []config.APIKey{
		{Tenant: "web", Key: "hunter2hunter2hunter2", Weight: 2, MaxWaiting: 500, MaxCostMicros: 100_000},
		{Tenant: "batch", Key: "hunter2hunter2hunter3", Weight: 0.5, MaxCostMicros: 5_000_000},
		{Tenant: "web", Key: "hunter2hunter2hunter4", Weight: 2, MaxWaiting: 500, MaxCostMicros: 100_000},
	}
	if diff := cmp.Diff(want, cfg.APIKeys); diff != "" || err != nil {
		t.Errorf("keys (-want +got):\n%s%v", diff, err)
	}
}

func TestAllFaultsOfTenantsAreReportedAtOnce(t *testing.T) {
	_, err := config.Load(getenv(with(production(), "TENANTS",
		`{"web": {"weight": 0, "color": 1, "max_cost_usd": -1}, "nobody": {"max_waiting_pictures": 1}}`)))
	want := `5 bad settings:
  TENANTS tenant "nobody": max_waiting_pictures must be a whole number from 16 to 10000000
  TENANTS tenant "nobody": is the name of no API key: add one to API_KEYS, or remove this
  TENANTS tenant "web": has no field "color": it has weight, max_waiting_pictures, max_cost_usd and budget
  TENANTS tenant "web": max_cost_usd must be a number from 0.001 to 1000000
  TENANTS tenant "web": weight must be a number from 0.01 to 100`
	if err == nil {
		t.Fatal("nothing is reported")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestBudgetsAreReadOfBothSettings(t *testing.T) {
	cfg, err := config.Load(getenv(with(production(),
		"API_KEYS", "web:hunter2hunter2hunter2", "BUDGET", `{"usd": 50, "per": "day", "zone": "Europe/Berlin", "at_limit": "refuse"}`,
		"TENANTS", `{"web": {"budget": {"usd": 0.1, "per": "month"}}}`)))
	berlin, _ := time.LoadLocation("Europe/Berlin")
	want := job.Budgets{
		job.ServiceBudget:       {LimitMicros: 50_000_000, Per: job.PerDay, Zone: berlin, Refuse: true},
		job.TenantBudget("web"): {LimitMicros: 100_000, Per: job.PerMonth, Zone: time.UTC},
	}
	same := cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })
	if diff := cmp.Diff(want, cfg.Budgets, same); diff != "" || err != nil {
		t.Errorf("budgets (-want +got):\n%s%v", diff, err)
	}
}

func TestAllFaultsOfBudgetsAreReportedAtOnce(t *testing.T) {
	_, err := config.Load(getenv(with(production(), "API_KEYS", "web:hunter2hunter2hunter2",
		"BUDGET", `{"usd": 0, "per": "week", "zone": "Berlin", "at_limit": "wait", "limit": 1}`,
		"TENANTS", `{"web": {"budget": {"zone": "Local"}}}`)))
	want := `8 bad settings:
  BUDGET at_limit must be hold or refuse
  BUDGET has no field "limit": it has usd, per, zone and at_limit
  BUDGET per must be day or month
  BUDGET usd must be a number from 0.001 to 1000000
  BUDGET zone must be the name of a time zone, such as Europe/Berlin: "Berlin" is none
  TENANTS tenant "web": budget: zone must be the name of a time zone, such as Europe/Berlin: "Local" is none
  TENANTS tenant "web": budget: needs usd
  TENANTS tenant "web": budget: needs per`
	if err == nil {
		t.Fatal("nothing is reported")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

// A worker has no keys, so it cannot tell which tenants there are.
func TestAWorkerTakesTenantsItDoesNotKnow(t *testing.T) {
	settings := with(production(), "ROLE", "worker", "TENANTS", `{"web": {"weight": 2}}`)
	delete(settings, "API_KEYS")
	if _, err := config.Load(getenv(settings)); err != nil {
		t.Error(err)
	}
}
