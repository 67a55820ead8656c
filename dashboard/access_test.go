package dashboard_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/record"
)

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// someID is that of no job.
const someID = "0199a5a0-0000-7000-8000-00000000000f"

// concrete returns a route's path with values for its wildcards.
func concrete(p string) string {
	asset := strings.TrimPrefix(dashboard.Asset("style.css"), path)
	return path + strings.NewReplacer("{lane}", "a", "{scope}", "service", "{id}", someID, "{webhook}", "msg_1", "{index}", "0", "/static/{hash}/{name}", asset, "{$}", "").Replace(p)
}

// nothingDone checks that nothing was done by hand but to log in.
func (s *site) nothingDone() {
	s.Helper()
	page, err := s.kept.Audit(s.Context(), record.AuditQuery{Limit: 100})
	if err != nil {
		s.Fatal(err)
	}
	for _, e := range page.Entries {
		if e.Act.Action != record.ActionLogIn {
			s.Errorf("done: %+v", e)
		}
	}
}

var why = url.Values{"reason": {"because"}}

// Whoever is not known sees no page, and does nothing.
func TestNobodyGetsIn(t *testing.T) {
	good := setup(t).logIn("ada")
	forged := *good
	forged.Value = good.Value[:len(good.Value)-2] + "AA"
	unsigned := *good
	unsigned.Value, _, _ = strings.Cut(good.Value, ".")
	other := setup(t)
	other.options.Users[2].Hash = strings.Replace(hash(), "a", "b", 1) // another password of the same name
	other.start()
	for name, tt := range map[string]struct {
		cookie *http.Cookie
		on     *site
	}{
		"without a cookie":                       {nil, setup(t)},
		"with another signature":                 {&forged, setup(t)},
		"without a signature":                    {&unsigned, setup(t)},
		"with nonsense":                          {&http.Cookie{Name: good.Name, Value: "a.b"}, setup(t)},
		"with a cookie of before a new password": {good, other},
		"under the name for plain connections":   {&http.Cookie{Name: "ai-worker-session", Value: good.Value}, setup(t)},
	} {
		t.Run(name, func(t *testing.T) {
			s := tt.on
			s.T = t
			calls := s.record.calls.Load()
			for _, r := range dashboard.Routes() {
				if r.Least == "" {
					continue
				}
				resp := s.do(request{method: r.Method, path: concrete(r.Path), cookie: tt.cookie, form: why})
				wantCode := http.StatusUnauthorized
				if r.Method == http.MethodGet {
					wantCode = http.StatusSeeOther
					if to := resp.Header.Get("Location"); to != path+"/login?next="+url.QueryEscape(concrete(r.Path)) {
						t.Errorf("%s leads to %s", r.Path, to)
					}
				}
				if resp.StatusCode != wantCode {
					t.Errorf("%s %s is answered %s, want %d", r.Method, r.Path, resp.Status, wantCode)
				}
			}
			s.nothingDone()
			if s.record.calls.Load() != calls {
				t.Error("the record was asked for somebody who is not known")
			}
		})
	}
}

// A login ends after 12 hours, with a logout, and with a user who is removed or gets
// another role.
func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		page := func(c *http.Cookie) int { return s.do(request{method: "GET", path: path, cookie: c}).StatusCode }
		first, second := s.logIn("ada"), s.logIn("ada")
		time.Sleep(12*time.Hour - time.Minute)
		if page(first) != 200 || page(second) != 200 {
			t.Error("a session ended early")
		}
		resp := s.do(request{method: "POST", path: path + "/logout", cookie: first})
		if c := resp.Cookies(); resp.StatusCode != http.StatusSeeOther || len(c) != 1 || c[0].MaxAge >= 0 {
			t.Errorf("the logout is answered %s with %v", resp.Status, c)
		}
		s.start() // another instance
		if page(first) != http.StatusSeeOther || page(second) != 200 {
			t.Error("a logout ends its own session, for all instances")
		}
		time.Sleep(time.Minute)
		if page(second) != http.StatusSeeOther {
			t.Error("a session outlasts 12 hours")
		}
		third := s.logIn("ada")
		s.options.Users[2].Role = dashboard.Viewer
		s.start()
		if got := s.do(request{method: "GET", path: path + "/lanes/a/pause", cookie: third}).StatusCode; got != http.StatusForbidden {
			t.Errorf("a user who is a viewer by now is answered %d", got)
		}
		s.options.Users = s.options.Users[:2]
		s.start()
		if page(third) != http.StatusSeeOther {
			t.Error("a user who is removed is let in")
		}
	})
}

// The cookie of a login is for this site alone, for TLS, and out of reach of scripts.
// On this machine it works without TLS.
func TestSessionCookie(t *testing.T) {
	s := setup(t)
	c := s.logIn("vera")
	if c.Name != "__Host-ai-worker-session" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("the cookie is %+v", c)
	}
	if strings.Contains(c.Value, hash()) {
		t.Error("the cookie has the hash")
	}
	form := url.Values{"user": {"vera"}, "password": {password}, "next": {path + "/lanes"}}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost:8080"+path+"/login", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	cookies := w.Result().Cookies()
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != path+"/lanes" || len(cookies) != 1 || cookies[0].Name != "ai-worker-session" || cookies[0].Secure {
		t.Fatalf("answered %d to %s with %v", w.Code, w.Header().Get("Location"), cookies)
	}
	r = httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:8080"+path, http.NoBody)
	r.AddCookie(cookies[0])
	w = httptest.NewRecorder()
	if s.handler.ServeHTTP(w, r); w.Code != http.StatusOK {
		t.Errorf("the page is answered %d", w.Code)
	}
}

// Each role may do what the table of routes says, and no more.
func TestRoles(t *testing.T) {
	s := setup(t)
	rank := map[dashboard.Role]int{dashboard.Viewer: 1, dashboard.Operator: 2, dashboard.Admin: 3}
	for i, u := range s.options.Users {
		c := s.logIn(u.Name)
		for _, r := range dashboard.Routes() {
			if r.Least == "" || r.Path == "/logout" {
				continue
			}
			resp := s.do(request{method: r.Method, path: concrete(r.Path), cookie: c, form: url.Values{"reason": {"x"}}})
			denied := resp.StatusCode == http.StatusForbidden
			if denied != (i+1 < rank[r.Least]) || resp.StatusCode >= 500 {
				t.Errorf("%s: %s %s is answered %s", u.Role, r.Method, r.Path, resp.Status)
			}
		}
	}
	s.nothingDone() // one character is no reason
	want(t, s.get(path+"/lanes", s.logIn("vera")), "-Pause…")
	want(t, s.get(path+"/lanes", s.logIn("otto")), "Pause…")
}

// What another site sends does nothing, whoever is logged in.
func TestOtherSitesDoNothing(t *testing.T) {
	s := setup(t)
	c := s.logIn("ada")
	for name, header := range map[string]map[string]string{
		"as browsers say":  {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"},
		"by its origin":    {"Sec-Fetch-Site": "", "Origin": "https://evil.example.com"},
		"a sandboxed page": {"Sec-Fetch-Site": "", "Origin": "null"},
		"a sibling":        {"Sec-Fetch-Site": "same-site", "Origin": "https://other.example.com"},
	} {
		for _, r := range dashboard.Routes() {
			if r.Method != http.MethodPost {
				continue
			}
			resp := s.do(request{method: r.Method, path: concrete(r.Path), cookie: c, form: why, header: header})
			if resp.StatusCode != http.StatusForbidden || len(resp.Cookies()) > 0 {
				t.Errorf("%s: %s is answered %s with %v", name, r.Path, resp.Status, resp.Cookies())
			}
		}
	}
	s.nothingDone()
}

// Nothing is done by a GET, or by a method that a route does not take.
func TestOtherMethods(t *testing.T) {
	s := setup(t)
	c := s.logIn("ada")
	takes := map[string]map[string]bool{}
	for _, r := range dashboard.Routes() {
		if takes[r.Path] == nil {
			takes[r.Path] = map[string]bool{}
		}
		takes[r.Path][r.Method] = true
	}
	for p, methods := range takes {
		for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
			if methods[m] {
				continue
			}
			resp := s.do(request{method: m, path: concrete(p) + "?_method=POST", cookie: c, form: why, header: map[string]string{"X-HTTP-Method-Override": "POST"}})
			if resp.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(resp.Header.Get("Allow"), "T") {
				t.Errorf("%s %s is answered %s, Allow %q", m, p, resp.Status, resp.Header.Get("Allow"))
			}
		}
	}
	for p, methods := range takes { // what is asked for by GET or HEAD does nothing, whatever it says of itself
		if methods["GET"] {
			override := map[string]string{"X-HTTP-Method-Override": "POST", "X-Method-Override": "POST"}
			for _, m := range []string{"GET", "HEAD"} {
				if resp := s.do(request{method: m, path: concrete(p) + "?_method=POST&reason=because", cookie: c, header: override}); resp.StatusCode >= 500 {
					t.Errorf("%s %s is answered %s", m, p, resp.Status)
				}
			}
		}
	}
	s.nothingDone()
}

// Every answer has the headers that keep a page from running or loading anything
// else: pages, files, redirects and problems.
func TestEveryAnswerIsSecure(t *testing.T) {
	s := setup(t)
	c := s.logIn("ada")
	requests := []request{
		{method: "GET", path: path + "/nothing"}, {method: "PUT", path: path}, {method: "GET", path: path + "//x"},
		{method: "GET", path: path, header: map[string]string{"Accept": "text/x-fragment"}},
		{method: "POST", path: path + "/login", header: map[string]string{"Origin": "null", "Sec-Fetch-Site": ""}},
		{method: "GET", path: path + "/static/old/style.css"}, {method: "GET", path: path + "/lanes/nowhere/pause", cookie: c},
	}
	for _, r := range dashboard.Routes() {
		requests = append(requests, request{method: r.Method, path: concrete(r.Path)}, request{method: r.Method, path: concrete(r.Path), cookie: c})
	}
	for _, q := range requests {
		resp := s.do(q)
		for name, value := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https://img.example.com; connect-src 'self'; " +
				"form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		} {
			if got := resp.Header.Get(name); got != value {
				t.Errorf("%s %s: %s is %q", q.method, q.path, name, got)
			}
		}
		kept := resp.Header.Get("Cache-Control")
		if file := strings.Contains(q.path, "/static/") && resp.StatusCode == http.StatusOK; file != strings.Contains(kept, "immutable") || !file && kept != "no-store" {
			t.Errorf("%s %s: Cache-Control is %q", q.method, q.path, kept)
		}
	}
}

// A page has nothing of its own to run or to look like: the policy would stop it.
func TestPagesHaveNothingInline(t *testing.T) {
	s := setup(t)
	j := s.create("web", "a", "m", 2).ID
	c := s.logIn("ada")
	for _, p := range []string{"", "/lanes", "/audit", "/lanes/a/pause", "/nothing", "/errors", "/errors/ignore?code=blocked", "/gallery", "/spend", "/jobs?q=oops:1", "/jobs/" + j, "/jobs/" + j + "/raw", "/jobs/" + j + "/draw", "/jobs/" + j + "/cancel", "/budgets/service/raise", "/bulks", "/bulks/new?action=cancel&q=tenant:web"} {
		page := text(t, s.do(request{method: "GET", path: path + p, cookie: c}))
		want(t, page, "-<script>", "-style=", "-onclick", "-javascript:", "-<style")
	}
}

// A page that breaks is answered with a page, and logged with the place.
func TestAFaultIsAnsweredAndLogged(t *testing.T) {
	s := setup(t)
	c := s.logIn("vera")
	s.options.Record = nil
	s.options.Users = s.options.Users[:1]
	s.start()
	resp := s.do(request{method: "GET", path: path, cookie: c})
	if resp.StatusCode != http.StatusInternalServerError || resp.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("answered %s", resp.Status)
	}
	want(t, text(t, resp), "the service&#39;s own fault", "-runtime error")
	want(t, s.log.String(), "panic", "identify.go")
}

func TestWhereToGoBack(t *testing.T) {
	for next, wantPath := range map[string]string{
		path + "/lanes": path + "/lanes", path + "/audit?who=ada": path + "/audit?who=ada", "": path, path: path,
		"https://evil.example.com": path, "//evil.example.com": path, path + "/../../api": path, path + "//evil": path,
		path + "/%2e%2e/%2e%2e/api/jobs": path, path + "/%2E./api": path, path + "/%2f/evil": path, path + "/%5cevil": path, path + "/%zz": path, path + "/\tevil": path,
		path + "/jobs/a%20b": path + "/jobs/a%20b", path + "/login": path, path + "x": path, "/api/jobs": path, path + "/\\evil": path, path + "/a\r\nSet-Cookie: x": path,
	} {
		if got := dashboard.LocalPath(next); got != wantPath {
			t.Errorf("%q leads to %q, want %q", next, got, wantPath)
		}
	}
}

// The address is the one that the front adds. What a caller claims counts for
// nothing, and nothing in the header does where there is no front.
func TestClientAddress(t *testing.T) {
	for name, tt := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"behind Cloud Run":         {"169.254.8.1:1", []string{"192.0.2.7"}, "192.0.2.7"},
		"with a claim before it":   {"169.254.8.1:1", []string{"198.51.100.1, 192.0.2.7"}, "192.0.2.7"},
		"with a header of its own": {"169.254.8.1:1", []string{"198.51.100.1", "192.0.2.7"}, "192.0.2.7"},
		"without a front":          {"203.0.113.9:1", []string{"192.0.2.7"}, "203.0.113.9"},
		"with nonsense":            {"10.0.0.1:1", []string{"x"}, "10.0.0.1"},
		"without a header":         {"127.0.0.1:1", nil, "127.0.0.1"},
		"by IPv6":                  {"169.254.8.1:1", []string{"2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::/64"},
		"by IPv4 within IPv6":      {"[::ffff:10.0.0.1]:1", []string{"::ffff:192.0.2.7"}, "192.0.2.7"},
	} {
		r := &http.Request{RemoteAddr: tt.peer, Header: http.Header{"X-Forwarded-For": tt.forwarded}}
		if got := dashboard.ClientAddress(r); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// In development whoever sits at the machine is let in, and nobody else: not another
// machine, not what comes through a tunnel, and not a page whose name was pointed at
// this machine.
func TestDevelopers(t *testing.T) {
	s := setup(t)
	s.options.Users, s.options.Developer = nil, true
	s.start()
	for name, tt := range map[string]struct {
		peer, host string
		header     string
		want       int
	}{
		"localhost":       {"127.0.0.1:1", "localhost:8080", "", 200},
		"IPv6":            {"[::1]:1", "[::1]:8080", "", 200},
		"another machine": {"192.168.1.9:1", "localhost:8080", "", 401},
		"a rebound name":  {"127.0.0.1:1", "evil.example.com", "", 401},
		"a tunnel":        {"127.0.0.1:1", "localhost", "X-Forwarded-For", 401},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://x"+path, http.NoBody)
		r.RemoteAddr, r.Host = tt.peer, tt.host
		if tt.header != "" {
			r.Header.Set(tt.header, "198.51.100.1")
		}
		w := httptest.NewRecorder()
		if s.handler.ServeHTTP(w, r); w.Code != tt.want {
			t.Errorf("%s: answered %d, want %d", name, w.Code, tt.want)
		}
	}
}
