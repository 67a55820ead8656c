package dashboard_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// setupBudget returns a site whose tenant web has a budget of two pictures of a dollar,
// and one more that is held.
func setupBudget(t *testing.T) *site {
	t.Helper()
	s := setup(t)
	s.options.Budgets = job.Budgets{job.TenantBudget("web"): {LimitMicros: 2_000_000, Per: job.PerMonth, Zone: time.UTC}}
	s.start()
	d := record.Draft{
		ID: newID(), Tenant: "web", Weight: 1, ExpiresIn: time.Hour, PriceMicros: 1_000_000,
		Budgets: record.Budgets{Periods: s.options.Budgets.Of("web", time.Now())},
		Input:   job.Input{Prompt: "a", Model: "m", Count: 3}, Lanes: []string{"a", "a", "a"},
	}
	if _, _, err := s.kept.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return s
}

// The overview shows few of many budgets: the service's, and those that say something or of
// which the most is used. The page of what was spent has them all.
func TestTheOverviewShowsTheFullestBudgets(t *testing.T) {
	s := setupBudget(t)
	s.options.Budgets[job.ServiceBudget] = job.Budget{LimitMicros: 1_000_000_000, Per: job.PerDay, Zone: time.UTC}
	for n := range 10_000 {
		s.options.Budgets[job.TenantBudget(fmt.Sprintf("t-%05d", n))] = job.Budget{LimitMicros: 1_000_000, Per: job.PerDay, Zone: time.UTC}
	}
	s.start()
	page := s.get(path, s.logIn("ada"))
	if n := strings.Count(page, `id="budget-`); n != 20 {
		t.Errorf("%d budgets of 10,002 are shown", n)
	}
	want(t, page, `id="budget-service"`, `id="budget-tenant:web"`, "There are 9,982 more", `href="/admin/queues/spend#budgets"`)
	want(t, words(page), "web 3", "100 %")
	if n := strings.Count(s.get(path+"/spend", s.logIn("ada")), `id="budget-`); n != 10_002 {
		t.Errorf("the page of what was spent has %d of 10,002 budgets", n)
	}
}

const raise = path + "/budgets/tenant:web/raise"

// field returns the value of a hidden field.
func (s *site) field(page, name string) string {
	s.Helper()
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(page)
	if found == nil {
		s.Fatalf("there is no field %s", name)
	}
	return found[1]
}

// An admin sees what a budget holds, raises it and undoes that; others see it only.
func TestABudgetIsRaised(t *testing.T) {
	s := setupBudget(t)
	ada, otto := s.logIn("ada"), s.logIn("otto")
	for _, p := range []string{path, path + "/spend"} {
		want(t, s.get(p, ada), "The budget has no room until", "1 picture waits for it", "budget of web in TENANTS", `href="/admin/queues/budgets/tenant:web/raise"`, "100 % of what is allowed")
		want(t, s.get(p, otto), "The budget has no room until", "-Raise…")
	}
	want(t, words(s.get(path, otto)), "Tenant Waiting Oldest Cost today Budget used web 3", "$0 100 %")
	if resp := s.do(request{method: "POST", path: raise, cookie: otto}); resp.StatusCode != http.StatusForbidden {
		t.Errorf("an operator is answered %s", resp.Status)
	}
	first := s.get(raise, ada)
	want(t, first, "-value=\"undo\"")
	form := func(page, how, usd, reason string) url.Values {
		return url.Values{"was": {s.field(page, "was")}, "until": {s.field(page, "until")}, "how": {how}, "usd": {usd}, "reason": {reason}}
	}
	for _, tt := range []struct {
		how, usd, reason string
		status           int
		added            int64
	}{
		{"add", "0", "a launch", http.StatusUnprocessableEntity, 0},
		{"add", "NaN", "a launch", http.StatusUnprocessableEntity, 0},
		{"add", "5", "", http.StatusUnprocessableEntity, 0},
		{"", "5", "a launch", http.StatusUnprocessableEntity, 0},
		{"add", "1.50", "a launch", http.StatusSeeOther, 1_500_000},
		{"lift", "", "a launch", http.StatusSeeOther, record.LiftMicros},
		{"undo", "", "it is over", http.StatusSeeOther, 0},
	} {
		resp := s.do(request{method: "POST", path: raise, cookie: ada, form: form(s.get(raise, ada), tt.how, tt.usd, tt.reason)})
		if states, err := s.kept.Budgets(t.Context()); err != nil || resp.StatusCode != tt.status || states[0].RaisedMicros != tt.added {
			t.Errorf("%s %s %q: %s, and %d is added, %v", tt.how, tt.usd, tt.reason, resp.Status, states[0].RaisedMicros, err)
		}
	}
	if s.sweeps.n.Load() != 3 {
		t.Errorf("%d sweeps are asked for, want one for each change", s.sweeps.n.Load())
	}
	want(t, s.get(path+"/audit", ada), "raise budget", "tenant:web", "a launch", "it is over")
}

// Of two forms of one moment, the first one counts. So does none of a period that ended.
func TestABudgetIsRaisedOnce(t *testing.T) {
	s := setupBudget(t)
	ada := s.logIn("ada")
	form := url.Values{"was": {"0"}, "until": {s.field(s.get(raise, ada), "until")}, "how": {"add"}, "usd": {"1"}, "reason": {"a launch"}}
	for _, status := range []int{http.StatusSeeOther, http.StatusConflict} {
		if resp := s.do(request{method: "POST", path: raise, cookie: ada, form: form}); resp.StatusCode != status {
			t.Errorf("answered %s, want %d", resp.Status, status)
		}
	}
	form.Set("was", "1000000")
	form.Set("until", "2020-01-01T00:00:00Z")
	if resp := s.do(request{method: "POST", path: raise, cookie: ada, form: form}); resp.StatusCode != http.StatusConflict {
		t.Errorf("of a period that ended, answered %s", resp.Status)
	}
	if resp := s.do(request{method: "GET", path: path + "/budgets/service/raise", cookie: ada}); resp.StatusCode != http.StatusNotFound {
		t.Errorf("of a budget that is not set, answered %s", resp.Status)
	}
}
