package server_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

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

// validator accepts one token for one audience, as Google's validator accepts a
// valid signature.
type validator struct{ payload *idtoken.Payload }

func (v validator) Validate(_ context.Context, token, aud string) (*idtoken.Payload, error) {
	if token != "signed" || aud != v.payload.Audience {
		return nil, errors.New("bad signature or audience")
	}
	return v.payload, nil
}

// deliverer notes the deliveries that came through.
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
			oidc, err := server.NewOIDC(validator{tt.payload}, server.OIDCConfig{Audience: audience, ServiceAccount: account}, log)
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

// unsigned returns a token whose signature Cloud Run has checked and taken off.
func unsigned(t *testing.T, change func(claims map[string]any)) string {
	t.Helper()
	claims := map[string]any{
		"iss": "https://accounts.google.com", "aud": audience, "exp": time.Now().Add(time.Hour).Unix(),
		"email": account, "email_verified": true,
	}
	if change != nil {
		change(claims)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return "e30." + base64.RawURLEncoding.EncodeToString(text) + ".SIGNATURE_REMOVED_BY_GOOGLE"
}

// Cloud Run has checked the signature of a private service's tokens. The
// service still checks what they say.
func TestOIDCBehindCloudRun(t *testing.T) {
	for name, tt := range map[string]struct {
		token    string
		inFront  bool    // the service is private
		instead  *string // of what Cloud Run has checked another token
		second   string  // another Authorization header
		accepted bool
	}{
		"Cloud Tasks":         {token: unsigned(t, nil), inFront: true, accepted: true},
		"signed":              {token: "signed", inFront: true, accepted: true},
		"forged":              {token: "forged", inFront: true},
		"nobody in front":     {token: unsigned(t, nil)},
		"another was checked": {token: unsigned(t, nil), inFront: true, instead: new("Bearer other")},
		"none was checked":    {token: unsigned(t, nil), inFront: true, instead: new("")},
		"two tokens":          {token: unsigned(t, nil), inFront: true, second: "Bearer signed"},
		"audience":            {token: unsigned(t, func(c map[string]any) { c["aud"] = "https://other.example.com" }), inFront: true},
		"expired":             {token: unsigned(t, func(c map[string]any) { c["exp"] = time.Now().Unix() }), inFront: true},
		"never expires":       {token: unsigned(t, func(c map[string]any) { delete(c, "exp") }), inFront: true},
		"another account":     {token: unsigned(t, func(c map[string]any) { c["email"] = "x" + account }), inFront: true},
		"email not verified":  {token: unsigned(t, func(c map[string]any) { c["email_verified"] = false }), inFront: true},
		"issuer":              {token: unsigned(t, func(c map[string]any) { c["iss"] = "https://evil.example.com" }), inFront: true},
		"not a token":         {token: "x.SIGNATURE_REMOVED_BY_GOOGLE", inFront: true},
	} {
		t.Run(name, func(t *testing.T) {
			log := slog.New(slog.DiscardHandler)
			oidc, err := server.NewOIDC(validator{payload(nil)}, server.OIDCConfig{
				Audience: audience, ServiceAccount: account, BehindCloudRun: tt.inFront,
			}, log)
			if err != nil {
				t.Fatal(err)
			}
			d := &deliverer{}
			h := server.New(server.Config{
				OIDC: oidc, Log: log, Tasks: &handlers.Tasks{Worker: d, Process: t.Context(), Log: log},
			})
			r := newDelivery(t, "Bearer "+tt.token)
			if tt.instead != nil {
				r.Header.Set("X-Serverless-Authorization", *tt.instead)
			}
			if tt.second != "" {
				r.Header.Add("Authorization", tt.second)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if accepted := w.Code == http.StatusOK && len(d.delivered) == 1; accepted != tt.accepted {
				t.Errorf("got %d and %d deliveries, want it accepted: %v", w.Code, len(d.delivered), tt.accepted)
			}
		})
	}
}

// The validator would not check an empty audience.
func TestNewOIDCRefusesToCheckNothing(t *testing.T) {
	for _, tt := range []struct{ audience, account string }{{"", account}, {audience, ""}} {
		if _, err := server.NewOIDC(validator{}, server.OIDCConfig{Audience: tt.audience, ServiceAccount: tt.account},
			slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("NewOIDC(%q, %q) succeeded", tt.audience, tt.account)
		}
	}
}
