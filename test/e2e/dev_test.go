package e2e_test

import (
	"image"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var readyAt = regexp.MustCompile(`ready at (http://localhost:\d+)`)

// startDev starts cmd/dev in dir, and returns it once it is ready.
func startDev(t *testing.T, dir string, env ...string) (*process, api) {
	t.Helper()
	p := start(t, build(t, "dev"), dir, append([]string{"PORT=0", "CLOUD_TASKS_EMULATOR_PORT=0", "GEMINI_RPM=600"}, env...))
	a := api{t: t}
	await(t, "dev being ready", startTimeout, func() bool {
		if m := readyAt.FindStringSubmatch(p.out.String()); m != nil {
			a.base = m[1]
		}
		return a.base != ""
	})
	return p, a
}

// A new user starts like this: no settings, one command, one curl.
func TestDevDrawsAPicture(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, a := startDev(t, dir)
	j := a.generate(`{"prompt":"A lighthouse at dusk","aspect_ratio":"16:9","count":2}`)
	j = a.poll(j.ID, "succeeded")
	if len(j.Output) != 2 {
		t.Fatalf("%d pictures, want 2", len(j.Output))
	}
	format, size := a.picture(j.Output[0])
	if want := (image.Point{X: j.Images[0].Width, Y: j.Images[0].Height}); format != "png" || size != want || size.X <= size.Y {
		t.Errorf("got %s of %v, want png of %v", format, size, want)
	}
	for _, row := range []string{"Postgres", "Redis", "Gemini", "R2", "Cloud Tasks"} {
		if !regexp.MustCompile(row + ` +embedded`).MatchString(p.out.String()) {
			t.Errorf("it does not say that %s is embedded", row)
		}
	}

	// Jobs and pictures survive a restart.
	p.stop()
	_, a = startDev(t, dir)
	again := a.get(j.ID)
	if again.Status != "succeeded" {
		t.Errorf("after a restart the job is %s", again.Status)
	}
	if format, _ := a.picture(again.Output[1]); format != "png" {
		t.Errorf("after a restart the picture is %q", format)
	}
}

// The jobs that were accepted are done even if the process is killed first.
func TestDevGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	port := "PORT=" + freePort(t) // the address of the tasks that are left has it
	p, a := startDev(t, dir, port, "GEMINI_RPM=60", "WORKER_CONCURRENCY=1")
	j := a.generate(`{"prompt":"A fox","count":3}`)
	p.kill()
	<-p.done
	_, a = startDev(t, dir, port)
	if j = a.poll(j.ID, "succeeded"); len(j.Output) != 3 {
		t.Errorf("%d pictures, want 3", len(j.Output))
	}
}

func TestDevUsesWhatIsSet(t *testing.T) {
	t.Parallel()
	p, a := startDev(t, t.TempDir(), "API_KEYS=web:0123456789abcdef")
	var problem struct{ Status int }
	if _, err := a.call(http.MethodGet, "/api/jobs/x", "", &problem); err != nil || problem.Status != http.StatusUnauthorized {
		t.Errorf("without the key: %d, %v", problem.Status, err)
	}
	if !strings.Contains(p.out.String(), "Authorization: Bearer") {
		t.Error("the example does not show where the key goes")
	}
}

// Without API keys any web page that its user opens could use the service.
func TestDevWithoutKeysRefusesWebPages(t *testing.T) {
	t.Parallel()
	_, a := startDev(t, t.TempDir(), "PUBLIC_URL=https://fox.example.com:8443")
	const fox, path = `{"prompt":"A fox"}`, "/api/generate-images"
	id := a.generate(fox).ID
	for name, tt := range map[string]struct {
		method, path, body string
		headers            []string
		want               int
	}{
		"curl":                    {"POST", path, fox, nil, 202},
		"curl, with a charset":    {"POST", path, fox, []string{"Content-Type", "application/json; charset=utf-8"}, 202},
		"curl without a body":     {"POST", "/api/jobs/" + id + "/cancel", "", nil, 200},
		"its own page":            {"POST", path, fox, []string{"Origin", a.base}, 202},
		"its public address":      {"POST", path, fox, []string{"Host", "fox.example.com:8443"}, 202},
		"loopback, IPv4":          {"GET", "/health", "", []string{"Host", "127.0.0.1:8080"}, 200},
		"loopback, IPv6":          {"GET", "/health", "", []string{"Host", "[::1]:8080"}, 200},
		"localhost without port":  {"GET", "/health", "", []string{"Host", "LOCALHOST"}, 200},
		"a page":                  {"POST", path, fox, []string{"Origin", "https://evil.example.com"}, 403},
		"a page on this machine":  {"POST", path, fox, []string{"Origin", "http://localhost:1"}, 403},
		"a page, as browsers say": {"POST", path, fox, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"a sandboxed page":        {"POST", "/api/jobs/" + id + "/cancel", "", []string{"Origin", "null"}, 403},
		"a name that is rebound":  {"GET", "/api/jobs/" + id, "", []string{"Host", "evil.example.com"}, 403},
		"its deliveries":          {"POST", "/tasks/generate", "{}", []string{"Host", "evil.example.com"}, 403},
		"a form":                  {"POST", path, fox, []string{"Content-Type", "text/plain"}, 415},
		"an empty form":           {"POST", "/api/jobs/" + id + "/cancel", "", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
	} {
		var problem struct{ Detail string }
		resp, err := a.call(tt.method, tt.path, tt.body, &problem, tt.headers...)
		if err != nil {
			t.Fatal(name, err)
		}
		if resp.StatusCode != tt.want || (tt.want >= 400) != (problem.Detail != "") {
			t.Errorf("%s: answered %d %q, want %d", name, resp.StatusCode, problem.Detail, tt.want)
		}
	}
}

// A developer opens the dashboard without a login, and pauses and resumes the lane
// there. Pages of other origins cannot.
func TestDevHasADashboard(t *testing.T) {
	t.Parallel()
	_, a := startDev(t, t.TempDir())
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	send := func(method, path, origin string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, a.base+"/admin/queues"+path, strings.NewReader("reason=for+a+test"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", origin)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	if code, _ := send("POST", "/lanes/default/pause", "https://evil.example.com"); code != http.StatusForbidden {
		t.Errorf("another origin is answered %d", code)
	}
	if code, _ := send("POST", "/lanes/default/pause", a.base); code != http.StatusSeeOther {
		t.Fatalf("the pause is answered %d", code)
	}
	if code, text := send("GET", "/lanes", a.base); code != http.StatusOK || !strings.Contains(text, "developer: for a test") {
		t.Errorf("answered %d %s", code, text)
	}
	id := a.generate(`{"prompt":"A fox"}`).ID
	var waits struct {
		Images []struct {
			WaitingFor string `json:"waiting_for"`
		}
	}
	await(t, "the picture waiting for a lane", patience, func() bool {
		_, err := a.call(http.MethodGet, "/api/jobs/"+id, "", &waits)
		return err == nil && waits.Images[0].WaitingFor == "lane"
	})
	if code, _ := send("POST", "/lanes/default/resume", a.base); code != http.StatusSeeOther {
		t.Errorf("the resume is answered %d", code)
	}
	a.poll(id, "succeeded") // by the sweep that was asked for, within two minutes
}

// Pictures are for whoever knows their address; what there is, and writing, is
// for the service alone.
func TestDevShowsNoList(t *testing.T) {
	t.Parallel()
	p, a := startDev(t, t.TempDir())
	a.poll(a.generate(`{"prompt":"A fox"}`).ID, "succeeded")
	bucket := regexp.MustCompile(`S3 server at (http://127\.0\.0\.1:\d+)`).FindStringSubmatch(p.out.String())
	if bucket == nil {
		t.Fatalf("it does not say where its bucket is: %s", p.out)
	}
	for _, tt := range []struct {
		method, url string
		want        int
	}{
		{"GET", a.base + "/pictures/", 404},
		{"GET", a.base + "/pictures/?list-type=2", 404},
		{"GET", a.base + "/pictures/%2F", 404},
		{"GET", a.base + "/pictures/%2E%2E/", 404},
		{"PUT", a.base + "/pictures/k", 404},
		{"GET", bucket[1] + "/", 403},
		{"GET", bucket[1] + "/pictures", 403},
		{"PUT", bucket[1] + "/pictures/k", 403},
		{"GET", bucket[1] + "/pictures/k?X-Amz-Credential=embedded%2F", 403},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, tt.url, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.want {
			t.Errorf("%s %s: answered %d, want %d", tt.method, tt.url, resp.StatusCode, tt.want)
		}
	}
}

func TestDevRefusesHalfAService(t *testing.T) {
	t.Parallel()
	p := start(t, build(t, "dev"), t.TempDir(), []string{"R2_BUCKET=pictures", "GEMINI_RPM=many"})
	if err := <-p.done; err == nil {
		t.Fatal("it started")
	}
	for _, setting := range []string{"GEMINI_RPM", "R2_ACCESS_KEY_ID", "R2_ACCOUNT_ID", "R2_SECRET_ACCESS_KEY"} {
		if !strings.Contains(p.out.String(), setting) {
			t.Errorf("it does not name %s: %s", setting, p.out)
		}
	}
}
