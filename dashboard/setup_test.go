package dashboard_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/generate"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/lane"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
)

const (
	path     = dashboard.Path
	password = "correct horse battery"
	pictures = "https://img.example.com" // where they are
)

// hash returns the hash of the password, made quickly.
var hash = sync.OnceValue(func() string {
	text, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	return string(text)
})

// A counted record counts what it is asked.
type counted struct {
	dashboard.Record

	overviews, calls, lists atomic.Int32
	err                     error // of every overview
}

func (c *counted) Overview(ctx context.Context) (record.Overview, error) {
	c.overviews.Add(1)
	c.calls.Add(1)
	if c.err != nil {
		return record.Overview{}, c.err
	}
	return c.Record.Overview(ctx)
}

func (c *counted) SessionEnded(ctx context.Context, id string) (bool, error) {
	c.calls.Add(1)
	return c.Record.SessionEnded(ctx, id)
}

func (c *counted) Search(ctx context.Context, q record.SearchQuery) (record.SearchPage, error) {
	c.lists.Add(1)
	c.calls.Add(1)
	return c.Record.Search(ctx, q)
}

func (c *counted) Count(ctx context.Context, q record.SearchQuery) (record.StatusTally, error) {
	c.calls.Add(1)
	return c.Record.Count(ctx, q)
}

func (c *counted) Inspect(ctx context.Context, id string) (record.Inspection, error) {
	c.lists.Add(1)
	c.calls.Add(1)
	return c.Record.Inspect(ctx, id)
}

// sweeps counts how often a sweep is asked for.
type sweeps struct{ n atomic.Int32 }

func (s *sweeps) AskForSweepSoon(context.Context, time.Time) error {
	s.n.Add(1)
	return nil
}

func (s *sweeps) AskForSweepAt(context.Context, time.Time) error {
	s.n.Add(1)
	return nil
}

// A site is a dashboard with three users, one of each role, whose password is the
// same.
type site struct {
	*testing.T

	kept    *memory.Record
	record  *counted
	sweeps  *sweeps
	options dashboard.Options
	handler http.Handler
	log     *bytes.Buffer
}

func setup(t *testing.T) *site {
	t.Helper()
	s := &site{T: t, kept: memory.New(), sweeps: &sweeps{}, log: &bytes.Buffer{}}
	s.record = &counted{Record: s.kept}
	s.options = dashboard.Options{
		Record: s.record, Sweeps: s.sweeps, Log: slog.New(slog.NewTextHandler(s.log, nil)), RPMSetting: "GEMINI_RPM",
		Lanes: []lane.Lane{{Name: "a", Model: "m", RPM: 60, Concurrency: 5}, {Name: "b", Model: "m", RPM: 30, Concurrency: 5}},
		Users: []dashboard.User{
			{Name: "vera", Role: dashboard.Viewer, Hash: hash()}, {Name: "otto", Role: dashboard.Operator, Hash: hash()},
			{Name: "ada", Role: dashboard.Admin, Hash: hash()},
		},
	}
	s.options.Refusal = func(o job.Outcome, words string, at time.Time) (dashboard.Refusal, bool) {
		r, ok := generate.ReadRefusal(job.Code(o), words, at)
		return dashboard.Refusal(r), ok
	}
	s.options.Pictures = dashboard.Pictures{
		URL:      func(key string) (string, error) { return pictures + "/" + key, nil },
		Download: func(key, name string) (string, error) { return pictures + "/" + key + "?as=" + name, nil },
		Origin:   pictures, Least: dashboard.Operator,
	}
	s.options.Jobs, s.options.Models = newActing(t, s), []job.Model{
		{Name: "m", ImageSizes: []string{"1K", "2K"}, AspectRatios: []string{"1:1", "16:9"}, Prices: map[string]int64{"1K": 33_600, "2K": 50_400}}, {Name: "other"},
	}
	s.start()
	return s
}

// start starts an instance with the options as they are now.
func (s *site) start() { s.handler = dashboard.New(s.options) }

// A request is one that a browser sends to the site, over TLS through Cloud Run's
// front.
type request struct {
	method, path string
	form         url.Values
	cookie       *http.Cookie
	header       map[string]string
}

func (s *site) do(q request) *http.Response {
	s.Helper()
	return send(s.T, s.handler, q)
}

func send(t testing.TB, h http.Handler, q request) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), q.method, "https://ops.example.com"+q.path, strings.NewReader(q.form.Encode()))
	r.RemoteAddr = "169.254.8.1:1234"
	r.Header.Set("X-Forwarded-For", "192.0.2.7")
	if q.method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "https://ops.example.com")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	if q.cookie != nil {
		r.AddCookie(q.cookie)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// logIn logs a user in, and returns the cookie.
func (s *site) logIn(name string) *http.Cookie {
	s.Helper()
	resp := s.do(request{method: "POST", path: path + "/login", form: url.Values{"user": {name}, "password": {password}}})
	if resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) != 1 {
		s.Fatalf("the login of %s is answered %s with %v", name, resp.Status, resp.Cookies())
	}
	return resp.Cookies()[0]
}

// get returns a page's text, which must be there.
func (s *site) get(p string, cookie *http.Cookie) string {
	s.Helper()
	resp := s.do(request{method: "GET", path: p, cookie: cookie})
	if resp.StatusCode != http.StatusOK {
		s.Fatalf("%s is answered %s", p, resp.Status)
	}
	return text(s.T, resp)
}

func text(t testing.TB, resp *http.Response) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// want checks what a page has, and what it has not if that begins with "-".
func want(t testing.TB, page string, texts ...string) {
	t.Helper()
	for _, w := range texts {
		if without, ok := strings.CutPrefix(w, "-"); ok == strings.Contains(page, strings.TrimPrefix(w, "-")) {
			t.Errorf("has it %q: %t\n%s", strings.TrimPrefix(w, "-"), without != w, page)
		}
	}
}

// create records a job of n pictures on a lane, or parked if that is empty.
func (s *site) create(tenant, on, model string, n int) job.Job {
	s.Helper()
	d := record.Draft{
		ID: newID(), Tenant: tenant, Weight: 1, ExpiresIn: time.Hour,
		Input: job.Input{Prompt: "<script>alert(1)</script>", Model: model, Count: n},
	}
	for range n {
		d.Lanes = append(d.Lanes, on)
	}
	j, _, err := s.kept.Create(s.Context(), d)
	if err != nil {
		s.Fatal(err)
	}
	return j
}

// tries keeps the tries to log in that the record is told of.
type tries struct {
	dashboard.Record

	all []record.LoginTry
}

func (t *tries) BeginLogin(ctx context.Context, try record.LoginTry) error {
	t.all = append(t.all, try)
	return t.Record.BeginLogin(ctx, try)
}

// stated is a record with an overview that a test sets.
type stated struct {
	dashboard.Record

	overview record.Overview
}

func (s *stated) Overview(context.Context) (record.Overview, error) { return s.overview, nil }
