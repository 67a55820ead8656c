package dashboard_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ai-worker/ai-worker/dashboard"
)

const audience = "/projects/1/locations/l/services/s"

// google publishes keys, as Google does, and counts how often it is asked.
type google struct {
	keys  map[string]*ecdsa.PrivateKey
	asked int
	away  bool
	hangs bool // until the caller gives up
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (g *google) RoundTrip(r *http.Request) (*http.Response, error) {
	g.asked++
	if g.hangs {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if g.away || r.URL.String() != "https://www.gstatic.com/iap/verify/public_key-jwk" {
		return nil, errors.New("away")
	}
	type jwk = map[string]string
	var set struct {
		Keys []jwk `json:"keys"`
	}
	for id, key := range g.keys {
		point, err := key.PublicKey.Bytes()
		if err != nil {
			return nil, err
		}
		encode := base64.RawURLEncoding.EncodeToString
		set.Keys = append(set.Keys, jwk{"kid": id, "kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])})
	}
	doc, err := json.Marshal(set)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(doc)))}, err
}

// proxied is a site behind Google's proxy.
type proxied struct {
	*site

	google *google
	key    *ecdsa.PrivateKey
}

func setupIAP(t *testing.T) *proxied {
	t.Helper()
	p := &proxied{site: setup(t), key: newKey(t)}
	p.google = &google{keys: map[string]*ecdsa.PrivateKey{"k1": p.key}}
	p.options.Users = nil
	p.options.IAP = &dashboard.IAP{
		Audience: audience, Client: &http.Client{Transport: p.google},
		Roles: []dashboard.IAPRole{{Who: "alice@example.com", Role: dashboard.Operator}, {Who: "example.com", Role: dashboard.Viewer}},
	}
	p.start()
	return p
}

// claims returns what the proxy says of alice, with changes; a claim that is nil is
// left out.
func claims(changes map[string]any) jwt.MapClaims {
	now := time.Now()
	c := jwt.MapClaims{
		"iss": "https://cloud.google.com/iap", "aud": audience, "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
		"sub": "accounts.google.com:1", "email": "alice@example.com", "hd": "example.com",
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func signed(t *testing.T, method jwt.SigningMethod, id string, key any, c jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	token.Header["kid"] = id
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// ask asks for a page with an assertion.
func (p *proxied) ask(page, assertion string) *http.Response {
	p.Helper()
	return p.do(request{method: "GET", path: page, header: map[string]string{"X-Goog-Iap-Jwt-Assertion": assertion}})
}

func TestIAPSaysWhoComes(t *testing.T) {
	p := setupIAP(t)
	for name, tt := range map[string]struct {
		changes map[string]any
		page    string
		want    int
	}{
		"by email":                     {nil, path + "/lanes/a/pause", 200},
		"by email, written otherwise":  {map[string]any{"email": "Alice@Example.com"}, path + "/lanes/a/pause", 200},
		"by domain":                    {map[string]any{"email": "bob@example.com"}, path, 200},
		"by domain, more than it may":  {map[string]any{"email": "bob@example.com"}, path + "/lanes/a/pause", 403},
		"an email that looks like it":  {map[string]any{"email": "eve@example.com", "hd": nil}, path, 403},
		"of another domain":            {map[string]any{"email": "eve@evil.example", "hd": "evil.example"}, path, 403},
		"a clock that is a bit behind": {map[string]any{"exp": time.Now().Add(-20 * time.Second).Unix()}, path, 200},
	} {
		resp := p.ask(tt.page, signed(t, jwt.SigningMethodES256, "k1", p.key, claims(tt.changes)))
		if resp.StatusCode != tt.want {
			t.Errorf("%s: answered %s, want %d", name, resp.Status, tt.want)
		}
	}
	page := text(t, p.ask(path, signed(t, jwt.SigningMethodES256, "k1", p.key, claims(nil))))
	want(t, page, "alice@example.com", "operator", "-Log out")
}

func TestIAPIsNotBelievedWithoutProof(t *testing.T) {
	p := setupIAP(t)
	es := func(changes map[string]any) string {
		return signed(t, jwt.SigningMethodES256, "k1", p.key, claims(changes))
	}
	good := es(nil)
	public, err := x509.MarshalPKIXPublicKey(&p.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, assertion := range map[string]string{
		"another issuer":         es(map[string]any{"iss": "https://accounts.google.com"}),
		"another audience":       es(map[string]any{"aud": "/projects/2/locations/l/services/s"}),
		"no audience":            es(map[string]any{"aud": nil}),
		"expired":                es(map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}),
		"without an end":         es(map[string]any{"exp": nil}),
		"of the future":          es(map[string]any{"iat": time.Now().Add(time.Minute).Unix()}),
		"without a time":         es(map[string]any{"iat": nil}),
		"without an account":     es(map[string]any{"email": nil}),
		"another key":            signed(t, jwt.SigningMethodES256, "k1", newKey(t), claims(nil)),
		"an unknown key":         signed(t, jwt.SigningMethodES256, "k2", p.key, claims(nil)),
		"no algorithm":           signed(t, jwt.SigningMethodNone, "k1", jwt.UnsafeAllowNoneSignatureType, claims(nil)),
		"a secret everybody has": signed(t, jwt.SigningMethodHS256, "k1", []byte("k1"), claims(nil)),
		"the public key as one":  signed(t, jwt.SigningMethodHS256, "k1", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), claims(nil)),
		"no signature":           good[:strings.LastIndex(good, ".")+1],
		"a short signature":      good[:strings.LastIndex(good, ".")+4],
		"nonsense":               "x",
		"nothing":                "",
	} {
		if resp := p.ask(path, assertion); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: answered %s", name, resp.Status)
		}
	}
	if resp := p.do(request{method: "GET", path: path}); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without an assertion: answered %s", resp.Status)
	}
	if resp := p.ask(path, good); resp.StatusCode != http.StatusOK {
		t.Errorf("a good one: answered %s", resp.Status)
	}
}

// A bad assertion is refused although the browser has the cookie of a login.
func TestIAPGoesBeforeACookie(t *testing.T) {
	s := setup(t)
	c := s.logIn("ada")
	s.options.IAP = &dashboard.IAP{Audience: audience, Client: &http.Client{Transport: &google{}}}
	s.start()
	for assertion, wantCode := range map[string]int{"": 401, "x": 401} {
		resp := s.do(request{method: "GET", path: path, cookie: c, header: map[string]string{"X-Goog-Iap-Jwt-Assertion": assertion}})
		if resp.StatusCode != wantCode {
			t.Errorf("%q: answered %s", assertion, resp.Status)
		}
	}
	if resp := s.do(request{method: "GET", path: path, cookie: c}); resp.StatusCode != http.StatusOK {
		t.Errorf("without an assertion: answered %s", resp.Status)
	}
}

// Where no proxy is set, its header says nothing: neither in place of a cookie nor
// against one.
func TestWithoutIAPItsHeaderSaysNothing(t *testing.T) {
	p := setupIAP(t)
	header := map[string]string{"X-Goog-Iap-Jwt-Assertion": signed(t, jwt.SigningMethodES256, "k1", p.key, claims(nil))}
	s := setup(t)
	if resp := s.do(request{method: "GET", path: path, header: header}); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("without a cookie: answered %s", resp.Status)
	}
	page := text(t, s.do(request{method: "GET", path: path, header: header, cookie: s.logIn("vera")}))
	want(t, page, "vera", "-alice@example.com")
}

// Google's keys are kept for an hour, and asked for again once a minute at most
// because of one that is not known. While Google is away, those that are known stay.
func TestIAPKeysAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := setupIAP(t)
		ask := func(id string, key *ecdsa.PrivateKey) int {
			return p.ask(path, signed(t, jwt.SigningMethodES256, id, key, claims(nil))).StatusCode
		}
		for range 3 {
			if got := ask("k1", p.key); got != 200 || p.google.asked != 1 {
				t.Errorf("answered %d after %d questions", got, p.google.asked)
			}
		}
		next := newKey(t)
		p.google.keys["k2"] = next
		for range 3 {
			if got := ask("k2", next); got != 401 || p.google.asked != 1 {
				t.Errorf("a new key at once: answered %d after %d questions", got, p.google.asked)
			}
		}
		time.Sleep(time.Minute)
		if got := ask("k2", next); got != 200 || p.google.asked != 2 {
			t.Errorf("a new key after a minute: answered %d after %d questions", got, p.google.asked)
		}
		p.google.away = true
		time.Sleep(time.Hour)
		if got := ask("k1", p.key); got != 200 || p.google.asked != 3 {
			t.Errorf("while Google is away: answered %d after %d questions", got, p.google.asked)
		}
	})
}

// While no key is known and Google does not answer, it is asked once in five seconds,
// however many come, and nobody waits for it longer than one question takes.
func TestIAPKeysAreWaitedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := setupIAP(t)
		p.google.hangs = true
		assertion := signed(t, jwt.SigningMethodES256, "k1", p.key, claims(nil))
		ask := func() {
			if resp := p.ask(path, assertion); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("answered %s", resp.Status)
			}
		}
		began := time.Now()
		var group sync.WaitGroup
		for range 10 {
			group.Go(ask)
		}
		group.Wait()
		for range 10 {
			ask()
		}
		if took := time.Since(began); took > 5*time.Second || p.google.asked != 1 {
			t.Errorf("20 callers took %s and %d questions", took, p.google.asked)
		}
		p.google.hangs = false
		time.Sleep(5 * time.Second)
		if resp := p.ask(path, assertion); resp.StatusCode != http.StatusOK {
			t.Errorf("once Google answers again: %s", resp.Status)
		}
	})
}
