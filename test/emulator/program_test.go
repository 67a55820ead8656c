package emulator_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ai-worker/ai-worker/test/emulator"
	"github.com/ai-worker/ai-worker/test/need"
)

// Each queue of the command line has the retries that it was given there.
func TestEachQueueHasItsRetries(t *testing.T) {
	t.Parallel()
	const fast = ",min_backoff=10ms,max_backoff=10ms"
	p := emulator.Start(t, "--no-throttling", "--queue", queueA+",max_attempts=2"+fast, "--queue", queueB+",max_attempts=4"+fast)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	b := connect(t, p, "gRPC", r)
	one, two := b.create(queueA, "x"), b.create(queueB, "x")
	b.gone(one.GetName())
	b.gone(two.GetName())
	came := map[string][]string{}
	for range 6 {
		h := b.next().header
		came[h.Get("X-Cloudtasks-Queuename")] = append(came[h.Get("X-Cloudtasks-Queuename")], h.Get("X-Cloudtasks-Taskretrycount"))
	}
	b.none()
	if !slices.Equal(came["a"], []string{"0", "1"}) || !slices.Equal(came["b"], []string{"0", "1", "2", "3"}) {
		t.Errorf("attempts were %q", came)
	}
}

// With a fast clock an hour passes in no time.
func TestSpeed(t *testing.T) {
	t.Parallel()
	b := connect(t, emulator.Start(t, "--queue", queueA, "--speed", "100000"), "REST", newReceiver(t, nil))
	task := b.task("")
	task.ScheduleTime = timestamppb.New(time.Now().Add(10 * time.Hour))
	if _, err := b.CreateTask(b.ctx, &cloudtaskspb.CreateTaskRequest{Parent: queueA, Task: task}); err != nil {
		t.Fatal(err)
	}
	b.next()
}

// kill -9 loses no task that was answered, no name that is taken, no pause and no
// key; the flags of the next start count.
func TestKill(t *testing.T) {
	t.Parallel()
	dir, r := t.TempDir(), newReceiver(t, nil)
	args := []string{"--state-dir", dir, "--queue", queueA + ",max_attempts=9"}
	p := emulator.Start(t, args...)
	b := connect(t, p, "gRPC", r)
	keys := get(t, p, "/oauth2/v3/certs")
	b.gone(b.create(queueA, "done").GetName())
	b.next()
	b.pause(queueA)
	for _, id := range []string{"1", "2", "3"} {
		b.create(queueA, id)
	}
	p.Kill()

	p = emulator.Start(t, "--state-dir", dir, "--queue", queueA+",max_attempts=5")
	b = connect(t, p, "REST", r)
	q, err := b.GetQueue(b.ctx, &cloudtaskspb.GetQueueRequest{Name: queueA})
	if err != nil || q.GetState() != cloudtaskspb.Queue_PAUSED || q.GetRetryConfig().GetMaxAttempts() != 5 {
		t.Errorf("the queue is %v (%v)", q, err)
	}
	if got := get(t, p, "/oauth2/v3/certs"); got != keys {
		t.Errorf("the keys are %s, and were %s", got, keys)
	}
	if got := b.list(queueA); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("tasks are %q", got)
	}
	_, err = b.CreateTask(b.ctx, &cloudtaskspb.CreateTaskRequest{Parent: queueA, Task: b.task(queueA + "/tasks/done")})
	b.wantError(err, 409, "Requested entity already exists")
	b.resume(queueA)
	for range 3 {
		b.next()
	}

	second := emulator.Command(t, "--port", "0", "--state-dir", dir)
	if out, err := second.CombinedOutput(); err == nil || !strings.Contains(string(out), "--state-dir: another emulator uses "+dir) {
		t.Errorf("a second emulator on the directory: %v\n%s", err, out)
	}
}

func get(t *testing.T, p *emulator.Process, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.Addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", path, res.Status, err)
	}
	return string(text)
}

// SIGTERM waits for the delivery under way, and no longer than --grace.
func TestSIGTERM(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		grace string
		ends  bool
		want  string
	}{
		"waits":            {"100s", true, "\nstopped\n"},
		"but not for ever": {"1ms", false, "\nstopped; some deliveries were cut off\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			r := newReceiver(t, func(_ http.ResponseWriter, in *http.Request) {
				select {
				case <-release:
				case <-in.Context().Done():
				}
			})
			dir := t.TempDir()
			p := emulator.Start(t, "--queue", queueA, "--state-dir", dir, "--grace", tt.grace)
			b := connect(t, p, "gRPC", r)
			b.create(queueA, "slow")
			b.next()
			p.Terminate()
			p.WaitFor("stopping")
			if tt.ends {
				close(release)
			}
			if code := p.Wait(); code != 0 || !strings.HasSuffix(p.Output(), tt.want) {
				t.Errorf("exit code %d, and it printed\n%s", code, p.Output())
			}
			p = emulator.Start(t, "--state-dir", dir, "--queue", queueA+",state=PAUSED")
			if left := len(connect(t, p, "REST", r).list(queueA)); (left == 0) != tt.ends {
				t.Errorf("%d tasks are left", left)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	p := emulator.Start(t)
	port := p.Addr[strings.LastIndex(p.Addr, ":")+1:]
	if out, err := emulator.Command(t, "--check", "--host", "0.0.0.0", "--port", port).CombinedOutput(); err != nil {
		t.Errorf("of a running emulator: %v\n%s", err, out)
	}
	p.Kill()
	if out, err := emulator.Command(t, "--check", "--host", "127.0.0.1", "--port", port).CombinedOutput(); err == nil {
		t.Errorf("of none: it exits with 0\n%s", out)
	}
}

// The queues of a file, in YAML and in JSON.
func TestQueuesFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "queues.yaml"), filepath.Join(dir, "queues.json")
	write(t, one, "queues:\n- name: "+queueA+"\n  rateLimits: {maxDispatchesPerSecond: 0.5}\n  retry_config:\n    max_attempts: -1\n    minBackoff: 5s\n")
	write(t, two, `{"queues": [{"name": "`+queueB+`", "httpTarget": {"uriOverride": {"host": "worker"}}}]}`)
	b := connect(t, emulator.Start(t, "--queues-file", one, "--queues-file", two), "REST", newReceiver(t, nil))
	q, err := b.GetQueue(b.ctx, &cloudtaskspb.GetQueueRequest{Name: queueA})
	if c := q.GetRetryConfig(); err != nil || q.GetRateLimits().GetMaxDispatchesPerSecond() != 0.5 || c.GetMaxAttempts() != -1 || c.GetMinBackoff().GetSeconds() != 5 {
		t.Errorf("queue of YAML: %v %v", q, err)
	}
	q, err = b.GetQueue(b.ctx, &cloudtaskspb.GetQueueRequest{Name: queueB})
	if err != nil || q.GetHttpTarget().GetUriOverride().GetHost() != "worker" {
		t.Errorf("queue of JSON: %v %v", q, err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What is wrong with the command line is said by the name of the flag and of the
// field.
func TestBadFlags(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "queues.yaml")
	write(t, file, "queues:\n- name: "+queueA+"\n  retryConfig: {maxAttempts: many, max: 1}\n- {}\n")
	for name, tt := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"no such flag":        {[]string{"--quue", "x"}, 2, []string{"flag provided but not defined: -quue", "--help"}},
		"no flag":             {[]string{queueA}, 2, []string{`"` + queueA + `" is no flag; queues are named with --queue`}},
		"no such field":       {[]string{"--queue", queueA + ",attempts=5"}, 2, []string{"--queue " + queueA + ",attempts=5: there is no field attempts"}},
		"no value":            {[]string{"--queue", queueA + ",max_attempts"}, 2, []string{"max_attempts needs a value"}},
		"no number":           {[]string{"--queue", queueA + ",max_attempts=many"}, 2, []string{`Invalid value at 'retry_config.max_attempts' (TYPE_INT32), "many"`}},
		"no duration":         {[]string{"--queue", queueA + ",min_backoff=5"}, 2, []string{"Invalid value at 'retry_config.min_backoff' (type.googleapis.com/google.protobuf.Duration), 5"}},
		"the same twice":      {[]string{"--queue", queueA, "--queue", queueA + ",max_attempts=5"}, 2, []string{"--queue " + queueA + ",max_attempts=5: --queue " + queueA + " asks for the same queue"}},
		"a name of no queue":  {[]string{"--queue", "a"}, 1, []string{`--queue a: Queue name must be formatted: "projects/`}},
		"a rate that is none": {[]string{"--queue", queueA + ",max_dispatches_per_second=501"}, 1, []string{"RateLimits.maxDispatchesPerSecond must be less than or equal to 500."}},
		"a file":              {[]string{"--queues-file", "none.yaml"}, 2, []string{"--queues-file none.yaml: open none.yaml: no such file"}},
		"a file's fields": {[]string{"--queues-file", file}, 2, []string{
			"queues[0]: Unknown name \"max\" at 'retry_config': Cannot find field.", `Invalid value at 'retry_config.max_attempts' (TYPE_INT32), "many"`, "queues[1]: a queue needs a name",
		}},
		"several": {[]string{"--speed", "0", "--duplicate-probability", "2", "--grace", "-1s"}, 2, []string{"--speed must be", "--duplicate-probability must be", "--grace must not"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stderr bytes.Buffer
			cmd := emulator.Command(t, append([]string{"--port", "0"}, tt.args...)...)
			cmd.Stderr = &stderr
			err := cmd.Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != tt.code {
				t.Errorf("%v, want exit code %d", err, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("it says %q, want %q in it", stderr.String(), want)
				}
			}
		})
	}
}

// The help has every flag, and no other.
func TestHelp(t *testing.T) {
	t.Parallel()
	out, err := emulator.Command(t, "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../../cmd/cloud-tasks-emulator/settings.go")
	if err != nil {
		t.Fatal(err)
	}
	names := func(pattern string, text []byte) (all []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
			all = append(all, string(m[1]))
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	want, got := append(names(`f\.\w*Var\([^"]*"([a-z-]+)"`, source), "help"), names(`(?m)^  --([a-z-]+)`, out)
	slices.Sort(want)
	if !slices.Equal(want, got) {
		t.Errorf("flags are\n%q, the help has\n%q", want, got)
	}
	for line := range strings.Lines(string(out)) {
		if len(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("longer than 80 characters: %s", line)
		}
	}
}

// The real gcloud, where there is one.
func TestGcloud(t *testing.T) {
	t.Parallel()
	gcloud, err := exec.LookPath("gcloud")
	if err != nil {
		t.Skip("there is no gcloud in PATH")
	}
	p := emulator.Start(t)
	r := newReceiver(t, nil)
	config := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), emulator.Patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, gcloud, append([]string{"tasks"}, append(args, "--location=here")...)...)
		cmd.Env = append(os.Environ(), "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDTASKS=http://"+p.Addr+"/", "CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true",
			"CLOUDSDK_CORE_PROJECT=demo", "CLOUDSDK_CORE_DISABLE_PROMPTS=1", "CLOUDSDK_CONFIG="+config)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("gcloud %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("queues", "create", "a", "--max-attempts=3")
	run("queues", "update", "a", "--max-dispatches-per-second=2.5")
	if out := run("queues", "describe", "a"); !strings.Contains(out, "maxAttempts: 3") || !strings.Contains(out, "maxDispatchesPerSecond: 2.5") {
		t.Errorf("queues describe:\n%s", out)
	}
	run("create-http-task", "x", "--queue=a", "--url="+r.url, "--body-content=hello")
	if got := r.next().body; got != "hello" {
		t.Errorf("body is %q", got)
	}
	host, port, _ := strings.Cut(strings.TrimPrefix(r.url, "http://"), ":")
	run("queues", "update", "a", "--http-uri-override=scheme:http,host:"+host+",port:"+port+",path:/buffered")
	run("buffer", "--queue=a")
	if got := r.next().path; got != "/buffered" {
		t.Errorf("the buffered task went to %s", got)
	}
	run("queues", "pause", "a")
	run("queues", "delete", "a")
}

// The example of the documentation for curl.
func TestDocumentedCurl(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		need.Missing(t, "there is no curl in PATH")
	}
	page, err := os.ReadFile("../../docs/emulator.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "<!-- test/emulator runs this -->\n```sh\n")
	script, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("docs/emulator.md has no example that this test runs")
	}
	p, r := emulator.Start(t), newReceiver(t, nil)
	script = strings.NewReplacer("localhost:8123", p.Addr, "http://localhost:8080", r.url).Replace(script)
	if out, err := exec.CommandContext(t.Context(), "sh", "-ec", script).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	if got := r.next().body; got != "hello" {
		t.Errorf("body is %q", got)
	}
}
