package dashboard_test

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
	"github.com/ai-worker/ai-worker/record/memory"
	"github.com/ai-worker/ai-worker/record/postgres"
	"github.com/ai-worker/ai-worker/record/postgres/postgrestest"
)

// leads matches what runs a script if somebody follows it.
var leads = regexp.MustCompile(`(href|src|action)="javascript:`)

// hostile returns texts that somebody puts where pages have ids, names and searches.
func hostile() []string {
	return []string{
		"../../api", "..", "\x00", "a\x00b", "\xff\xfe", "\u202etxt.exe", "'; DROP TABLE jobs --", `"><script>alert(1)</script>`,
		"javascript:alert(1)", "\x1b]0;owned\a", "=HYPERLINK(1)", "{{.}}", "%2e%2e%2f", "-1", "99999999999999999999", "1e309", "NaN", "2026-13-40",
		strings.Repeat("x", 5_000), strings.ToUpper(someID), "{" + someID + "}", "urn:uuid:" + someID, strings.ReplaceAll(someID, "-", ""),
	}
}

// No address and no form makes the service fail, leads elsewhere, or stands in the
// answer as HTML, on either record.
func TestHostileAddressesDoNothing(t *testing.T) {
	pool, err := postgres.NewPool(t.Context(), postgrestest.NewRecord(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	for name, rec := range map[string]dashboard.Record{"memory": memory.New(), "postgres": postgres.New(pool)} {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			s.options.Record = rec
			s.start()
			c := s.logIn("ada")
			for _, text := range hostile() {
				for _, q := range hostileRequests(text) {
					q.cookie = c
					s.isHarmless(q)
				}
			}
		})
	}
}

// hostileRequests returns requests of all routes with a text in every place.
func hostileRequests(text string) (all []request) {
	values := make(url.Values)
	for key := range strings.FieldsSeq(`q next back before after cursor who target tenant model month zone span code lane detail words until attempts
		done key prompt count ratio size seed reason user password theme`) {
		values.Set(key, text)
	}
	part := strings.ReplaceAll(url.PathEscape(text), ".", "%2e")
	wild := strings.NewReplacer("{lane}", part, "{id}", part, "{webhook}", part, "{index}", part, "{hash}", part, "{name}", part, "{$}", "")
	for _, r := range dashboard.Routes() {
		if r.Path == "/logout" || r.Path == "/login" && r.Method == http.MethodPost { // one ends the session, the other refuses after some
			continue
		}
		form := maps.Clone(values)
		if len(text) > 1000 {
			form.Set("reason", "because")
		}
		all = append(all, request{method: r.Method, path: path + wild.Replace(r.Path), form: form},
			request{method: r.Method, path: concrete(r.Path) + "?" + values.Encode(), form: form})
	}
	return all
}

func (s *site) isHarmless(q request) {
	s.Helper()
	resp := s.do(q)
	page := text(s.T, resp)
	if resp.StatusCode >= 500 || strings.Contains(page, "<script>alert") || leads.MatchString(page) {
		s.Errorf("%s %.300s is answered %s: %.300s", q.method, q.path, resp.Status, words(page))
	}
	if to := resp.Header.Get("Location"); to != "" && !strings.HasPrefix(to, path) {
		s.Errorf("%s %.300s leads to %.300s", q.method, q.path, to)
	}
}

// A receiver's address may hold a secret, as Slack's and Discord's do. Viewers see its
// host only.
func TestViewersDoNotSeeWhereWebhooksGo(t *testing.T) {
	s := setup(t)
	d := record.Draft{
		ID: newID(), Tenant: "web", Weight: 1, ExpiresIn: time.Hour, Lanes: []string{"a"},
		Input: job.Input{
			Prompt: "a fox", Model: "m", Count: 1,
			Webhook: &job.Receiver{URL: "https://hooks.example.com/services/T0/s3cret?token=s3cret", Events: job.EndEvents()},
		},
	}
	j, _, err := s.kept.Create(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	for user, sees := range map[string]string{"vera": "-s3cret", "otto": "s3cret"} {
		c := s.logIn(user)
		for _, p := range []string{"", "/raw"} {
			want(t, s.get(path+"/jobs/"+j.ID+p, c), sees)
		}
		want(t, s.get(path+"/jobs/"+j.ID, c), "Webhooks to", "hooks.example.com")
	}
}

// JSON of a caller's with one array in another, as deep as 4 KiB can be, makes no page
// that is a thousand times as long: each line would be indented by all of them.
func TestDeepMetadataMakesNoLongPage(t *testing.T) {
	s := setup(t)
	const deep = 2_000
	d := record.Draft{
		ID: newID(), Tenant: "web", Weight: 1, ExpiresIn: time.Hour, Lanes: []string{"a"}, Input: job.Input{Prompt: "a fox", Model: "m", Count: 1},
		Metadata: []byte(`{"user":"ada","deep":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + `}`),
	}
	j, _, err := s.kept.Create(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	c := s.logIn("ada")
	for _, p := range []string{"", "/raw"} {
		page := s.get(path+"/jobs/"+j.ID+p, c)
		if len(page) > 100_000 {
			t.Errorf("%s has %d bytes", p, len(page))
		}
		want(t, page, "[[[[")
	}
	want(t, s.get(path+"/jobs/"+s.create("web", "a", "m", 1).ID+"/raw", c), "  &#34;input&#34;: {\n") // others are indented
}
