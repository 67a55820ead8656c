package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"golang.org/x/crypto/bcrypt"

	"github.com/ai-worker/ai-worker/config"
)

// No page of the dashboard, and no line of the log, has a secret of the settings, nor
// has what the provider says when it repeats the key.
func TestNoPageShowsASecret(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	settings := marked(t, d)
	for name, value := range settings {
		d.env = append(d.env, name+"="+value)
	}
	d.api.key = marker
	if err := d.queue.EnsureQueue(t.Context(), &cloudtaskspb.Queue{Name: settings["WEBHOOK_QUEUE"]}); err != nil {
		t.Fatal(err)
	}
	d.migrate()
	p := d.serve()
	d.api.poll(d.api.generate(`{"prompt":"A fox","webhook":"https://hooks.example.com/"}`).ID, "succeeded")
	id := d.api.generate(`{"prompt":"A fox [[garbage]]"}`).ID
	await(t, "an attempt that fails with the key", patience, func() bool { return d.api.get(id).Images[0].Attempts > 0 })

	v := visit(t, d.api.base)
	if in := v.send(board+"/login", url.Values{"user": {"ada"}, "password": {marker}}); in.status != http.StatusSeeOther {
		t.Fatalf("the login is answered %d", in.status)
	}
	for _, page := range v.openAll(everyKind...) {
		for _, secret := range []string{marker, settings["DASHBOARD_USERS"][len("ada:admin:"):]} {
			if i := strings.Index(page.text+fmt.Sprint(page.header), secret); i >= 0 {
				t.Errorf("%s shows a secret: …%s…", page.path, page.text[max(0, min(i, len(page.text))-200):min(len(page.text), i+50)])
			}
		}
	}
	if strings.Contains(p.out.String(), marker) {
		t.Error("the log has a secret")
	}
}

// everyKind is the kinds of pages that a job leads to which was drawn, and one whose
// attempt failed.
var everyKind = []string{
	board + "?", board + "/jobs?", board + "/jobs?q", board + "/jobs/#?", board + "/jobs/#/raw?", board + "/jobs/#/draw?", board + "/jobs/#/delete?",
	board + "/lanes?", board + "/lanes/default?", board + "/lanes/default/pause?", board + "/audit?", board + "/audit?target", board + "/errors?", board + "/errors?span",
	board + "/gallery?", board + "/gallery/#/#?", board + "/spend?", board + "/spend.csv?month&zone", board + "/bulks?", board + "/bulks/new?action&q",
}

// marked returns settings of a deployment whose secrets hold the marker, and fails if
// there is a secret without.
func marked(t *testing.T, d *deployment) map[string]string {
	t.Helper()
	naming := func(raw, parameter string) string {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set(parameter, marker)
		u.RawQuery = q.Encode()
		return u.String()
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(marker), 10)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{
		"DATABASE_URL": naming(d.database, "application_name"), "REDIS_URL": naming(d.redis.URL(), "client_name"),
		"GEMINI_API_KEY": "AIza" + marker, "R2_SECRET_ACCESS_KEY": marker, "API_KEYS": "web:" + marker,
		"WEBHOOK_SECRET": "whsec_" + marker + "AAAAAAAAAAA", "BUDGET_WEBHOOK_SECRET": "whsec_" + marker + "BBBBBBBBBBB",
		"WEBHOOK_QUEUE": "projects/p/locations/l/queues/webhooks", "BUDGET_WEBHOOK": "https://hooks.example.com/" + marker,
		"BUDGET": `{"usd": 50, "per": "day"}`, "ENABLE_DASHBOARD": "true", "DASHBOARD_USERS": "ada:admin:" + string(hash),
	}
	for _, s := range config.Settings() {
		shown := []string{
			"DASHBOARD_USERS",  // has the hash, which is looked for too
			"R2_ACCESS_KEY_ID", // stands in the address of each picture, as S3 signs them
			"R2_CREDENTIALS",   // another way to write both
		}
		if s.Secret && !strings.Contains(settings[s.Name], marker) && !slices.Contains(shown, s.Name) {
			t.Errorf("%s is a secret without a marker", s.Name)
		}
	}
	return settings
}

// hostileText has what markup, templates, shells, terminals and the direction of text
// can be attacked with.
const hostileText = "\u202etxt.exe\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}${x}`x`\x1b]0;owned\a\x1b[2J\u009b2J\u2066</textarea></pre>\r\n"

// What a caller sends is text on every page, however long it is: markup is none, the
// order of what stands beside it stays, and nothing comes out that moves a terminal.
func TestWhatCallersSendIsText(t *testing.T) {
	t.Parallel()
	_, a := startDev(t, t.TempDir(), `BUDGET={"usd": 50, "per": "day"}`)
	const longest, metadata = 32_000, 4 << 10
	body := map[string]any{
		"metadata": map[string]string{"<script>alert(1)</script>": strings.Repeat(hostileText, metadata/2/len(hostileText))},
		"webhook":  "http://127.0.0.1:1/'><script>alert(1)</script>\u202e",
	}
	for prompt, status := range map[string]string{"": "succeeded", "[[block:SAFETY]]": "failed"} {
		text := prompt + strings.Repeat(hostileText, longest/utf8.RuneCountInString(hostileText))
		body["prompt"] = text + strings.Repeat("<", longest-utf8.RuneCountInString(text))
		doc, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		a.poll(a.generate(string(doc)).ID, status)
	}
	for _, page := range visit(t, a.base).openAll(everyKind...) {
		if page.status >= http.StatusInternalServerError || len(page.text) > 1<<20 {
			t.Errorf("%s is answered %d with %d bytes", page.path, page.status, len(page.text))
		}
		isText(t, page)
	}
}

var (
	scripts = regexp.MustCompile(`<script[^>]*>`)
	ours    = regexp.MustCompile(`^<script src="` + board + `/static/[0-9a-f]+/[a-z]+\.js" defer>$`)
	// loose matches an element in whose line a turned text stands, up to that.
	loose = regexp.MustCompile(`<(a|b|i|span|code|small)( [^>]*)?>[^<>]*\x{202e}`)
)

// isText checks that what is hostile on a page is text.
func isText(t *testing.T, page opened) {
	t.Helper()
	for _, tag := range scripts.FindAllString(page.text, -1) {
		if !ours.MatchString(tag) {
			t.Errorf("%s has %s", page.path, tag)
		}
	}
	if strings.Contains(page.text, "<img src=x") {
		t.Errorf("%s has a picture of a caller's", page.path)
	}
	moves := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }
	if i := strings.IndexFunc(page.text, moves); i >= 0 {
		t.Errorf("%s has a control character: …%q…", page.path, page.text[max(0, i-80):min(len(page.text), i+20)])
	}
	for _, m := range loose.FindAllString(page.text, -1) {
		if !strings.Contains(m, `dir="auto"`) {
			t.Errorf("%s turns what stands beside it: %q", page.path, m[:min(len(m), 200)])
		}
	}
}
