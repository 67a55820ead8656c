package server_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/api/idtoken"

	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/server"
	"github.com/ai-worker/ai-worker/worker"
)

const (
	audience = "https://worker.example.com"
	account  = "tasks@p.iam.gserviceaccount.com"
)

// validator accepts one token for one audience, as Google's does a signature.
type validator struct{ payload *idtoken.Payload }

func (v validator) Validate(_ context.Context, token, aud string) (*idtoken.Payload, error) {
	if token != "signed" || aud != v.payload.Audience {
		return nil, errors.New("bad signature or audience")
	}
	return v.payload, nil
}

// deliverer notes that a delivery came through.
type deliverer struct{ delivered []job.Task }

func (d *deliverer) Deliver(_ context.Context, t job.Task) (worker.Verdict, error) {
	d.delivered = append(d.delivered, t)
	return worker.VerdictDone, nil
}

func payload(change func(*idtoken.Payload)) *idtoken.Payload {
	p := &idtoken.Payload{
		Issuer: "https://accounts.google.com", Audience: audience,
		Claims: map[string]any{"email": account, "email_verified": true},
	}
	if change != nil {
		change(p)
	}
	return p
}

func newDelivery(t *testing.T, authorization string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/tasks/generate",
		strings.NewReader(`{"job_id":"0199a5a0-0000-7000-8000-000000000000","index":1,"dispatch":2}`))
	r.Header.Set("Authorization", authorization)
	return r
}

func TestOIDCLetsCloudTasksInAndNobodyElse(t *testing.T) {
	for name, tt := range map[string]struct {
		payload *idtoken.Payload
		header  string
		want    int
	}{
		"Cloud Tasks":          {payload(nil), "Bearer signed", http.StatusOK},
		"other form of issuer": {payload(func(p *idtoken.Payload) { p.Issuer = "accounts.google.com" }), "Bearer signed", http.StatusOK},
		"no token":             {payload(nil), "", http.StatusUnauthorized},
		"bad signature":        {payload(nil), "Bearer forged", http.StatusUnauthorized},
		"basic":                {payload(nil), "Basic signed", http.StatusUnauthorized},
		"audience":             {payload(func(p *idtoken.Payload) { p.Audience = "https://other.example.com" }), "Bearer signed", http.StatusUnauthorized},
		"issuer":               {payload(func(p *idtoken.Payload) { p.Issuer = "https://evil.example.com" }), "Bearer signed", http.StatusUnauthorized},
		"no email":             {payload(func(p *idtoken.Payload) { delete(p.Claims, "email") }), "Bearer signed", http.StatusUnauthorized},
		"another account":      {payload(func(p *idtoken.Payload) { p.Claims["email"] = "x" + account }), "Bearer signed", http.StatusUnauthorized},
		"email not verified":   {payload(func(p *idtoken.Payload) { p.Claims["email_verified"] = false }), "Bearer signed", http.StatusUnauthorized},
		"email of no word":     {payload(func(p *idtoken.Payload) { delete(p.Claims, "email_verified") }), "Bearer signed", http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			log := slog.New(slog.DiscardHandler)
			oidc, err := server.NewOIDC(validator{tt.payload}, audience, account, log)
			if err != nil {
				t.Fatal(err)
			}
			d := &deliverer{}
			h := server.New(server.Config{
				OIDC: oidc, Log: log, Tasks: &handlers.Tasks{Worker: d, Process: t.Context(), Log: log},
			})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, newDelivery(t, tt.header))
			if w.Code != tt.want || (len(d.delivered) == 1) != (tt.want == http.StatusOK) {
				t.Errorf("got %d and %d deliveries, want %d", w.Code, len(d.delivered), tt.want)
			}
		})
	}
}

// The validator would skip the check of an empty audience.
func TestNewOIDCRefusesToCheckNothing(t *testing.T) {
	for _, tt := range []struct{ audience, account string }{{"", account}, {audience, ""}} {
		if _, err := server.NewOIDC(validator{}, tt.audience, tt.account, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("NewOIDC(%q, %q) succeeded", tt.audience, tt.account)
		}
	}
}
