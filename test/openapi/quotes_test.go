package openapi_test

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/enqueue"
	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/server"
	"github.com/ai-worker/ai-worker/snapshot"
)

// poor is a tenant that may spend little on a job.
const (
	poor    = "poor"
	poorKey = "poor-key-0123456789"
)

// limitTenants adds the tenant that has limits.
func limitTenants(cfg *server.Config) {
	cfg.Keys.Add(poor, poorKey, 1)
	cfg.Keys.Limit(poor, handlers.Limits{MaxCostMicros: 40_000})
}

func (f broken) Quote(context.Context, enqueue.Submission) (enqueue.Quote, error) {
	return enqueue.Quote{}, f()
}

// brokenSnapshots are snapshots that fail. Their quotes are asked for only after
// the producer's.
type brokenSnapshots struct{ broken }

func (brokenSnapshots) Quote(snapshot.Quote) snapshot.QuoteResource { return snapshot.QuoteResource{} }

// askForQuotes sends dry runs, and requests that would cost too much.
func (s *service) askForQuotes() []exchange {
	s.Helper()
	as := []string{"Authorization", "Bearer " + poorKey}
	generate := func(name, body string, headers ...string) exchange {
		return s.send(name, http.MethodPost, generatePath, body, headers...)
	}
	return []exchange{
		generate("a quote", `{"prompt":"a","count":2,"image_size":"1K","max_cost_usd":0.07,"dry_run":true}`, "Prefer", "wait=1"),
		generate("a quote without a price", `{"prompt":"a","dry_run":true}`),
		generate("more than the request allows", `{"prompt":"a","count":2,"image_size":"1K","max_cost_usd":0.06}`),
		generate("more than the tenant may spend", `{"prompt":"a","count":2,"image_size":"1K"}`, as...),
		generate("a quote of that", `{"prompt":"a","count":2,"image_size":"1K","dry_run":true}`, as...),
		s.sendTo(s.routes, "a retry of that", http.MethodPost, jobPath+"/retry", s.canceledFor(poor), strings.NewReader(""), as...),
	}
}

// canceledFor records a job of a tenant, whatever it may spend, and cancels it.
func (s *service) canceledFor(tenant string) string {
	s.Helper()
	d := record.Draft{
		ID: uuid.Must(uuid.NewV7()).String(), Tenant: tenant, Weight: 1, ExpiresIn: 3600e9, Lanes: []string{"a", "a"},
		Input: job.Input{Prompt: "a", Model: model, Count: 2, ImageSize: "1K"},
	}
	if _, _, err := s.record.Create(s.Context(), d); err != nil {
		s.Fatal(err)
	}
	if _, err := s.record.Cancel(s.Context(), d.ID); err != nil {
		s.Fatal(err)
	}
	return d.ID
}
