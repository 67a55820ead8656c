package handlers_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/server"
)

// refusing is a producer that fails.
type refusing struct {
	full

	err error
}

func (r refusing) Submit(context.Context, enqueue.Submission) (job.Job, error) {
	return job.Job{}, r.err
}

func TestGenerateSaysWhichBudgetHasNoRoom(t *testing.T) {
	t.Parallel()
	next := time.Date(2126, 11, 24, 23, 0, 0, 0, time.UTC)
	mine := job.Budget{LimitMicros: 20_000_000, Per: job.PerMonth, Zone: time.UTC}
	all := job.Budget{LimitMicros: 7_000_000, Per: job.PerDay, Zone: time.UTC}
	for name, tt := range map[string]struct {
		err   error
		code  int
		says  []string
		hides string
	}{
		"it passes by itself": {
			&enqueue.BudgetError{Scope: job.TenantBudget("web"), Budget: mine, CostMicros: 134_000, NextAt: next},
			http.StatusTooManyRequests, []string{"$20", "month (UTC)", "$0.134", "2126-11-24T23:00:00Z", "budget in TENANTS"}, "BUDGET",
		},
		"it never passes": {
			&enqueue.BudgetError{Scope: job.TenantBudget("web"), Budget: mine, CostMicros: 21_000_000, NextAt: next, NeverPasses: true},
			http.StatusPaymentRequired, []string{"$20", "$21", "budget in TENANTS"}, "2126",
		},
		"it is the service's": {
			&enqueue.BudgetError{Scope: job.ServiceBudget, Budget: all, CostMicros: 134_000, NextAt: next},
			http.StatusTooManyRequests, []string{"of this service", "day (UTC)", "BUDGET"}, "$7",
		},
		"nobody knows the price": {enqueue.ErrNoPrice, http.StatusUnprocessableEntity, nil, "budget_exceeded"},
	} {
		log := slog.New(slog.DiscardHandler)
		routes := server.New(server.Config{Log: log, Lanes: &handlers.Lanes{}, Jobs: &handlers.Jobs{
			Producer: refusing{err: tt.err}, Models: []job.Model{{Name: "m"}}, Log: log,
		}})
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/generate-images", strings.NewReader(`{"prompt":"a"}`)))
		a := answer{code: w.Code, header: w.Header(), body: w.Body.String()}
		a.problem(t, tt.code)
		for _, says := range tt.says {
			if !strings.Contains(a.body, says) || !strings.Contains(a.body, `"code":"budget_exceeded"`) {
				t.Errorf("%s: %s does not say %s and its code", name, a.body, says)
			}
		}
		if strings.Contains(a.body, tt.hides) {
			t.Errorf("%s: %s says %s", name, a.body, tt.hides)
		}
		seconds, _ := strconv.Atoi(a.header.Get("Retry-After"))
		if (seconds > 0) != (tt.code == http.StatusTooManyRequests) {
			t.Errorf("%s: Retry-After is %q", name, a.header.Get("Retry-After"))
		}
	}
}
