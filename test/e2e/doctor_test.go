package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/ai-worker/ai-worker/local/s3"
)

// A diagnosis is what doctor printed, and its exit code.
type diagnosis struct {
	stdout, stderr string
	code           int
}

// runDoctor runs `ai-worker doctor` with no other settings than env.
func runDoctor(t *testing.T, env []string, flags ...string) diagnosis {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), build(t, "ai-worker"), append([]string{"doctor"}, flags...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return diagnosis{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

type finding struct{ Check, Subject, Status, Message, Fix string }

// findings parses the output of --json.
func (d diagnosis) findings(t *testing.T) (status string, _ []finding) {
	t.Helper()
	var report struct {
		Status   string
		Findings []finding
	}
	if err := json.Unmarshal([]byte(d.stdout), &report); err != nil {
		t.Fatalf("%v in %s\n%s", err, d.stdout, d.stderr)
	}
	return report.Status, report.Findings
}

func TestDoctorOfAHealthyService(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	// On a busy machine, pictures take seconds.
	d.env = append(d.env, "WORKER_CONCURRENCY=2000")
	_, err := d.queue.Service().UpdateQueue(t.Context(), &cloudtaskspb.UpdateQueueRequest{
		Queue: &cloudtaskspb.Queue{
			Name: queueName, RateLimits: &cloudtaskspb.RateLimits{MaxConcurrentDispatches: 2000},
		},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"rate_limits.max_concurrent_dispatches"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.migrate()
	d.serve()
	j := d.api.generate(`{"prompt":"A fox","count":3}`) // so that the record knows how long pictures take
	d.api.poll(j.ID, "succeeded")

	got := runDoctor(t, d.env, "--json")
	status, findings := got.findings(t)
	if got.code != 0 || status != "ok" || got.stderr != "" {
		t.Errorf("exit code %d, status %s\n%s", got.code, status, got.stderr)
	}
	var checks []string
	for _, f := range findings {
		checks = append(checks, strings.TrimSpace(f.Check+" "+f.Subject))
		if skipped := f.Check == "delivery" && f.Subject == "account" || f.Subject == "webhooks"; f.Status != "ok" && !skipped {
			t.Errorf("%+v", f)
		}
	}
	want := []string{
		"settings", "database", "redis", "r2", "gemini default", "queue default", "queue sweeps", "queue webhooks", "concurrency default",
		"delivery worker", "delivery account", "clock", "work waiting", "work outcomes",
	}
	if diff := cmp.Diff(want, checks); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
	if got := d.gemini.Stats().Requests; got != 3 {
		t.Errorf("%d requests, want the 3 of the job: doctor pays for none", got)
	}

	// Before a deploy, it does not matter how the running version is doing.
	_, setup := runDoctor(t, d.env, "--setup", "--json").findings(t)
	checks = nil
	for _, f := range setup {
		checks = append(checks, strings.TrimSpace(f.Check+" "+f.Subject))
	}
	want = slices.Concat(want[:9], want[10:12])
	if diff := cmp.Diff(want, checks); diff != "" {
		t.Errorf("checks of the set-up (-want +got):\n%s", diff)
	}
}

func TestDoctorOfNothing(t *testing.T) {
	t.Parallel()
	got := runDoctor(t, nil, "--json")
	status, findings := got.findings(t)
	if got.code != 1 || status != "failed" || !strings.Contains(got.stderr, "11 failed") {
		t.Errorf("exit code %d, status %s\n%s", got.code, status, got.stderr)
	}
	var missing []string
	for _, f := range findings {
		switch {
		case f.Check == "settings":
			missing = append(missing, f.Subject)
		case f.Status != "skipped" && f.Check != "concurrency":
			t.Errorf("%+v", f)
		}
	}
	want := []string{
		"API_KEYS", "CLOUD_TASKS_QUEUE", "DATABASE_URL", "GEMINI_API_KEY", "R2_ACCESS_KEY_ID", "R2_ACCOUNT_ID", "R2_BUCKET",
		"R2_SECRET_ACCESS_KEY", "REDIS_URL", "TASKS_SERVICE_ACCOUNT", "WORKER_URL",
	}
	if diff := cmp.Diff(want, missing); diff != "" {
		t.Errorf("missing settings (-want +got):\n%s", diff)
	}
}

func TestDoctorCommandLine(t *testing.T) {
	t.Parallel()
	for flag, code := range map[string]int{"--jason": 2, "--setup": 1} {
		if got := runDoctor(t, nil, flag); got.code != code {
			t.Errorf("%s: exit code %d, want %d\n%s", flag, got.code, code, got.stderr)
		}
	}
}

// marker is in every secret of the tests below.
const marker = "hunter2hunter2hunter2"

// startUnkind starts a server that refuses every request and repeats what it
// was sent, and returns its URL.
func startUnkind(t *testing.T, status int) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error": {"code": %d, "message": %q, "status": "PERMISSION_DENIED"}}`, status, r.URL.String()+fmt.Sprint(r.Header))
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// secretive returns settings whose secrets all hold the marker. They are for
// the services of a deployment, which refuse these secrets.
func secretive(t *testing.T, d *deployment) map[string]string {
	t.Helper()
	with := func(raw string) string {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword("someone", marker)
		return u.String()
	}
	settings := map[string]string{}
	for _, e := range d.env {
		name, value, _ := strings.Cut(e, "=")
		settings[name] = value
	}
	settings["DATABASE_URL"] = with(d.database)
	settings["REDIS_URL"] = with(d.redis.URL())
	settings["GEMINI_API_KEY"] = "AIza" + marker
	settings["GEMINI_BASE_URL"] = startUnkind(t, http.StatusForbidden)
	settings["R2_ACCESS_KEY_ID"] = "id-" + marker
	settings["R2_SECRET_ACCESS_KEY"] = marker
	settings["API_KEYS"] = "web:" + marker
	settings["WORKER_URL"] = startUnkind(t, http.StatusInternalServerError)
	return settings
}

// Doctor shows no secret, whatever goes wrong and whichever service repeats
// what it was sent.
func TestDoctorShowsNoSecret(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.s3.Fail(func(r *http.Request) s3.Fault {
		return s3.Fault{Status: http.StatusForbidden, Code: "SignatureDoesNotMatch" + r.Header.Get("Authorization")}
	})
	lanes := `[{"name": "a", "queue": "projects/p/locations/l/queues/a", "api_key": "AIza` + marker + `"},
		{"name": "b", "queue": "projects/p/locations/l/queues/b", "api_key_env": "KEY_B"}]`
	for name, change := range map[string]func(s map[string]string){
		"refused": func(map[string]string) {},
		"refused, by lane": func(s map[string]string) {
			s["LANES"], s["KEY_B"] = lanes, marker
		},
		"out of reach": func(s map[string]string) {
			s["DATABASE_URL"] = "postgres://someone:" + marker + "@no-such-host.invalid/jobs"
			s["REDIS_URL"] = "rediss://someone:" + marker + "@no-such-host.invalid:6379"
			s["GEMINI_BASE_URL"] = "https://" + marker + ".invalid"
			s["R2_ENDPOINT"] = "http://127.0.0.1:1"
			s["CLOUD_TASKS_ENDPOINT"] = "127.0.0.1:1"
			s["WORKER_URL"] = "https://someone:" + marker + "@127.0.0.1:1"
		},
		"malformed": func(s map[string]string) {
			for _, name := range []string{
				"DATABASE_URL", "REDIS_URL", "GEMINI_API_KEY", "R2_CREDENTIALS", "R2_ENDPOINT", "API_KEYS", "LANES",
				"CLOUD_TASKS_QUEUE", "PORT", "R2_PUBLIC_URL",
			} {
				s[name] = marker + " is no value"
			}
		},
		"hardly well-formed": func(s map[string]string) {
			s["DATABASE_URL"] = "postgres://someone:" + marker + "%zz@db.example.com:port/jobs?password=" + marker
			s["REDIS_URL"] = "redis://someone:" + marker + "@host:6379/db" + marker
			s["GEMINI_API_KEY"] = marker + "\n" + marker
			s["LANES"] = lanes + marker
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := secretive(t, d)
			change(settings)
			var env []string
			for name, value := range settings {
				env = append(env, name+"="+value)
			}
			slices.Sort(env)
			for _, flags := range [][]string{nil, {"--json"}} {
				got := runDoctor(t, env, flags...)
				if got.code != 1 {
					t.Errorf("exit code %d, want 1\n%s", got.code, got.stdout)
				}
				all := got.stdout + got.stderr
				if i := strings.Index(all, marker); i >= 0 {
					t.Errorf("it shows a secret: …%s…", all[max(0, i-200):min(len(all), i+200)])
				}
				if len(flags) == 0 {
					t.Log(got.stdout)
				}
			}
		})
	}
}

// With --keys, only what has its settings is looked at, and only what is wrong
// with those is told. The schema is to be made, and is not asked for.
func TestDoctorTriesKeysBeforeAnythingIsDeployed(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	d := runDoctor(t, []string{"DATABASE_URL=nonsense", "GEMINI_API_KEY=AIza-nobody", "GEMINI_BASE_URL=" + server.URL}, "--keys", "--json")
	status, findings := d.findings(t)
	var got []string
	for _, f := range findings {
		got = append(got, f.Check+" "+f.Status)
	}
	want := []string{"settings failed", "database skipped", "gemini failed"}
	if diff := cmp.Diff(want, got); diff != "" || status != "failed" || d.code != 1 {
		t.Errorf("it says %s and ends with %d (-want +got):\n%s\n%s", status, d.code, diff, d.stdout)
	}
}
