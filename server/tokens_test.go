package server_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ai-worker/ai-worker/handlers"
	"github.com/ai-worker/ai-worker/server"
	"github.com/ai-worker/ai-worker/snapshot"
)

// A vector is one of docs/browser-tokens.md.
type vector struct {
	APIKey string `json:"api_key"`
	Key    string `json:"key"`
	KID    string `json:"kid"`
	JobID  string `json:"job_id"`
	Token  string `json:"token"`
}

// The documented tokens let their jobs be read. The clock of a bubble begins when
// they were made.
func TestDocumentedTokensAreGood(t *testing.T) {
	text, err := os.ReadFile("../docs/browser-tokens.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```json\n(.*?)```").FindSubmatch(text)
	var vectors []vector
	if block == nil || json.Unmarshal(block[1], &vectors) != nil || len(vectors) < 3 {
		t.Fatalf("docs/browser-tokens.md has %d vectors", len(vectors))
	}
	for _, v := range vectors {
		key, kid := signingKey(v.APIKey)
		if hex.EncodeToString(key) != v.Key || kid != v.KID {
			t.Errorf("%s: key %x, kid %s", v.APIKey, key, kid)
		}
		synctest.Test(t, func(t *testing.T) {
			cfg := server.Config{Log: slog.New(slog.DiscardHandler), Jobs: &handlers.Jobs{
				Snapshots: fixed{job: snapshot.Snapshot{JSON: []byte("{}"), ID: v.JobID, Tenant: "web", Version: 1}},
			}}
			cfg.Keys.Add("other", "another-key-0123456789", 1)
			cfg.Keys.Add("web", v.APIKey, 1)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/jobs/"+v.JobID+"?token="+v.Token, http.NoBody)
			w := httptest.NewRecorder()
			server.New(cfg).ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				t.Errorf("%s: answered %d %s", v.APIKey, w.Code, w.Body)
			}
		})
	}
}

// signingKey returns the key that tokens of an API key are signed with, and its
// name.
func signingKey(apiKey string) (key []byte, kid string) {
	mac := hmac.New(sha256.New, []byte(apiKey))
	_, _ = io.WriteString(mac, "ai-worker browser token v1")
	key = mac.Sum(nil)
	sum := sha256.Sum256(key)
	return key, hex.EncodeToString(sum[:8])
}

// A token is read by two routes, and says what is wrong with it.
func TestBrowserTokens(t *testing.T) {
	const apiKey, otherKey, secret = "key", "other-key", "eyJ" // every token begins so
	synctest.Test(t, func(t *testing.T) {
		s, end := newStreaming(t, "a fox")
		now := time.Now().Unix()
		good := func(change func(header, claims map[string]any)) string {
			return mint(t, apiKey, s.job.ID, now, jwt.SigningMethodHS256, change)
		}
		set := func(name string, value any) string {
			return good(func(_, c map[string]any) {
				if c[name] = value; value == nil {
					delete(c, name)
				}
			})
		}
		header := func(name string, value any) string {
			return good(func(h, _ map[string]any) { h[name] = value })
		}
		token := good(nil)
		path := "/api/jobs/" + s.job.ID
		for name, tt := range map[string]struct {
			method, path, query, token string // the token is sent as Bearer
			second                     string // another Authorization header
			code                       int
			says                       string
		}{
			"Bearer":            {token: token, code: 200},
			"query":             {query: "token=" + token, code: 200},
			"events":            {path: path + "/events", method: http.MethodHead, query: "token=" + token, code: 200},
			"capitals":          {path: strings.ToUpper(path[10:]), token: token, code: 200},
			"a day":             {token: set("exp", now+86400), code: 200},
			"another claim":     {token: set("aud", "x"), code: 200},
			"API key":           {token: apiKey, code: 200},
			"cancel":            {path: path + "/cancel", method: http.MethodPost, token: token, code: 401},
			"cancel by query":   {path: path + "/cancel", method: http.MethodPost, query: "token=" + token, code: 401},
			"generate":          {path: "/api/generate-images", method: http.MethodPost, token: token, code: 401},
			"API key in query":  {query: "token=" + apiKey, code: 401, says: "browser token"},
			"both":              {query: "token=" + token, token: token, code: 401, says: "one token"},
			"both, one bad":     {query: "token=" + token, token: "x", code: 401, says: "one token"},
			"twice in query":    {query: "token=" + token + "&token=" + token, code: 401, says: "one token"},
			"two headers":       {token: token, second: "Bearer " + token, code: 401},
			"headers and query": {query: "token=" + token, token: apiKey + "x", second: "Bearer x", code: 401, says: "one token"},
			"another tenant's":  {token: mint(t, otherKey, s.job.ID, now, jwt.SigningMethodHS256, nil), code: 404},
			"unknown key":       {token: mint(t, "no-key", s.job.ID, now, jwt.SigningMethodHS256, nil), code: 401, says: "kid"},
			"no kid":            {token: header("kid", nil), code: 401, says: "kid"},
			"another's kid":     {token: good(func(h, _ map[string]any) { _, h["kid"] = signingKey(otherKey) }), code: 401, says: "signature"},
			"HS512":             {token: mint(t, apiKey, s.job.ID, now, jwt.SigningMethodHS512, nil), code: 401, says: "alg"},
			"none":              {token: mint(t, apiKey, s.job.ID, now, jwt.SigningMethodNone, nil), code: 401, says: "alg"},
			"alg is a lie":      {token: header("alg", "none"), code: 401, says: "alg"},
			"typ":               {token: header("typ", "at+jwt"), code: 401, says: "typ"},
			"crit":              {token: header("crit", []string{"x"}), code: 401, says: "crit"},
			"expired":           {token: set("exp", now), code: 401, says: "token_expired"},
			"no exp":            {token: set("exp", nil), code: 401, says: "exp"},
			"exp of text":       {token: set("exp", "tomorrow"), code: 401, says: "exp"},
			"two days":          {token: set("exp", now+2*86400), code: 401, says: "exp"},
			"no iat":            {token: set("iat", nil), code: 401, says: "iat"},
			"iat ahead":         {token: set("iat", now+3600), code: 401, says: "iat"},
			"nbf ahead":         {token: set("nbf", now+3600), code: 401, says: "nbf"},
			"no scope":          {token: set("scope", nil), code: 401, says: "scope"},
			"scope":             {token: set("scope", "read write"), code: 401, says: "scope"},
			"no sub":            {token: set("sub", nil), code: 401, says: "sub"},
			"another job's":     {token: set("sub", "0199a5a0-0000-7000-8000-000000000000"), code: 401, says: "sub"},
			"changed":           {token: token[:len(token)-3] + "AAA", code: 401, says: "signature"},
			"padded":            {token: token + "=", code: 401, says: "JWT"},
			"no JSON":           {token: "eyJ.eyJ.eyJ", code: 401, says: "JWT"},
			"too long":          {token: strings.Repeat("a", 3000) + ".a.a", code: 401, says: "long"},
			"nothing":           {code: 401, says: "API key"},
		} {
			s.log.Reset()
			method, target := http.MethodGet, path
			if tt.method != "" {
				method = tt.method
			}
			if tt.path != "" {
				target = tt.path
			}
			if !strings.HasPrefix(target, "/api") {
				target = "/api/jobs/" + target
			}
			r := httptest.NewRequestWithContext(t.Context(), method, target+"?"+tt.query, http.NoBody)
			if tt.token != "" {
				r.Header.Set("Authorization", "Bearer "+tt.token)
			}
			if tt.second != "" {
				r.Header.Add("Authorization", tt.second)
			}
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, r)
			<-s.left
			if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.says) {
				t.Errorf("%s: answered %d %s, want %d and %q", name, w.Code, w.Body, tt.code, tt.says)
			}
			if tt.code == 401 && (w.Header().Get("WWW-Authenticate") == "" || w.Header().Get("Content-Type") != "application/problem+json") {
				t.Errorf("%s: no problem document, or no challenge: %v", name, w.Header())
			}
			if strings.Contains(w.Body.String(), secret) || strings.Contains(s.log.String(), secret) || strings.Contains(s.log.String(), "token=") {
				t.Errorf("%s: a token is shown: %s\n%s", name, w.Body, s.log)
			}
			if tt.query != "" && tt.code == 200 && w.Header().Get("Referrer-Policy") != "no-referrer" {
				t.Error(name + ": the address may go on to other servers")
			}
		}
		end()
		time.Sleep(time.Minute)
	})
}

// mint makes a token for a job.
func mint(t *testing.T, apiKey, id string, now int64, method jwt.SigningMethod, change func(header, claims map[string]any)) string {
	t.Helper()
	key, kid := signingKey(apiKey)
	claims := jwt.MapClaims{"sub": id, "scope": "read", "iat": now, "exp": now + 900}
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = kid
	if change != nil {
		change(token.Header, claims)
	}
	var signer any = key
	if method == jwt.SigningMethodNone {
		signer = jwt.UnsafeAllowNoneSignatureType
	}
	text, err := token.SignedString(signer)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// fixed has one job.
type fixed struct {
	handlers.Snapshots

	job snapshot.Snapshot
}

func (f fixed) Snapshot(context.Context, string) (snapshot.Snapshot, error) { return f.job, nil }
