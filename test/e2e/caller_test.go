package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/ai-worker/ai-worker/local/gemini"
)

// A gallery is a service whose pictures come when the test says so.
type gallery struct {
	api

	env     []string // for those who call it
	open    func()   // lets all pictures come
	restart func()   // ends the service and starts it again
	gemini  *gemini.Server
}

func openGallery(t *testing.T) *gallery {
	t.Helper()
	model, err := gemini.New(gemini.Options{})
	if err != nil {
		t.Fatal(err)
	}
	gate := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-gate:
			model.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	settings := []string{"PORT=" + freePort(t), "GEMINI_API_KEY=AIzaTest", "GEMINI_BASE_URL=" + server.URL, "API_KEYS=web:" + apiKey}
	process, a := startDev(t, dir, settings...)
	a.key = apiKey
	g := &gallery{api: a, env: []string{"AI_WORKER_URL=" + a.base, "AI_WORKER_KEY=" + apiKey}, gemini: model}
	g.restart = func() {
		process.stop()
		process, _ = startDev(t, dir, settings...)
	}
	g.open = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(g.open)
	return g
}

// interrupt presses Ctrl-C in the middle of a job on a terminal, and returns that
// terminal, which asks then whether to cancel the job, and the job's id.
func (g *gallery) interrupt(t *testing.T) (p *pane, id string) {
	t.Helper()
	p = openPane(t, t.TempDir(), g.env, "generate", "A red fox")
	p.shows("1 drawing")
	id = anID.FindString(p.screen())
	p.keys("C-c")
	p.shows("[y/N]")
	return p, id
}

// A result is what a command printed, and its exit code.
type result struct {
	stdout, stderr string
	code           int
}

// callerCommand returns `ai-worker` with args, without a terminal.
func callerCommand(t *testing.T, env []string, args ...string) (_ *exec.Cmd, stdout, stderr *output) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), build(t, "ai-worker"), args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	stdout, stderr = &output{}, &output{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}

// runCaller runs `ai-worker` with args until it has ended.
func runCaller(t *testing.T, env []string, args ...string) result {
	t.Helper()
	cmd, stdout, stderr := callerCommand(t, env, args...)
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

var anID = regexp.MustCompile(`[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// Somebody on a terminal sees how the job is doing. Ctrl-C asks; a no goes on.
func TestGenerateOnATerminalGoesOnAfterNo(t *testing.T) {
	t.Parallel()
	g := openGallery(t)
	dir := t.TempDir()
	p := openPane(t, dir, g.env, "generate", "A red fox", "--count", "2", "--download", "out/{prompt}_{index}.{ext}")
	p.shows("0 of 2 pictures, 2 drawing")
	for _, row := range p.rows() {
		if strings.Contains(row, "0 of 2") != strings.HasPrefix(row, "0 of 2") {
			t.Errorf("the live line is not drawn in place: %q", row)
		}
	}
	p.keys("C-c")
	p.shows("Cancel the job? It goes on by itself otherwise. [y/N]")
	p.keys("n", "Enter")
	p.shows("[y/N] n\n0 of 2 pictures")
	g.open()
	p.shows("exit code 0")
	screen := p.screen()
	for _, want := range []string{"done    0  1024x1024", "done    1  1024x1024", "succeeded, 2 of 2 pictures", "out/a-red-fox_0.png\nout/a-red-fox_1.png\n"} {
		if !strings.Contains(screen, want) {
			t.Errorf("it does not show %q", want)
		}
	}
	for _, name := range []string{"a-red-fox_0.png", "a-red-fox_1.png"} {
		if data, err := os.ReadFile(filepath.Join(dir, "out", name)); err != nil || !bytes.HasPrefix(data, []byte("\x89PNG")) {
			t.Errorf("%s: %d bytes, error %v", name, len(data), err)
		}
	}
	if got := g.gemini.Stats().Requests; got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
}

func TestGenerateOnATerminalCancelsAfterYes(t *testing.T) {
	t.Parallel()
	g := openGallery(t)
	p, id := g.interrupt(t)
	p.keys("y", "Enter")
	p.shows("exit code 130")
	if j := g.get(id); j.Status != "canceled" {
		t.Errorf("the job is %s", j.Status)
	}
}

func TestGenerateOnATerminalLeavesAtTheSecondInterrupt(t *testing.T) {
	t.Parallel()
	g := openGallery(t)
	p, id := g.interrupt(t)
	p.keys("C-c")
	p.shows("exit code 130")
	if want := "ai-worker jobs watch " + id; !strings.Contains(p.screen(), want) {
		t.Errorf("it does not show %q", want)
	}
	if j := g.get(id); j.Status != "processing" {
		t.Errorf("the job is %s, and should go on", j.Status)
	}
	g.open()
	watch := openPane(t, t.TempDir(), g.env, "jobs", "watch", id)
	watch.shows("exit code 0")
}

// A terminal of which nothing is known shows no pictures. Who insists is told so before
// anything is paid for.
func TestGenerateOnATerminalWithoutPictures(t *testing.T) {
	t.Parallel()
	g := openGallery(t)
	p := openPane(t, t.TempDir(), g.env, "generate", "A red fox", "--preview")
	p.shows("exit code 2")
	if got := runCaller(t, g.env, "jobs", "list"); got.code != 0 || got.stdout != "" {
		t.Errorf("there are jobs: %+v", got)
	}
}

// A picture is shown in the terminal's own form where the terminal can.
func TestGenerateOnATerminalShowsPictures(t *testing.T) {
	t.Parallel()
	g := openGallery(t)
	p := openPane(t, t.TempDir(), g.env, "generate", "A red fox", "--preview=sixel", "--count", "2")
	p.shows("2 drawing")
	written := p.record()
	g.open()
	p.shows("exit code 0")
	await(t, "two pictures", patience, func() bool { return strings.Count(written(), "\x1bP0;1q") == 2 })
}

func TestDeleteOnATerminalAsks(t *testing.T) {
	t.Parallel()
	g := openGallery(t)
	g.open()
	id := g.poll(g.generate(`{"prompt":"A fox"}`).ID, "succeeded").ID
	p := openPane(t, t.TempDir(), g.env, "jobs", "delete", id)
	p.shows("[y/N]")
	p.keys("n", "Enter")
	p.shows("exit code 130")
	g.get(id)
	p = openPane(t, t.TempDir(), g.env, "jobs", "delete", id)
	p.shows("[y/N]")
	p.keys("y", "Enter")
	p.shows("exit code 0")
	if got := runCaller(t, g.env, "jobs", "get", id); got.code != 4 {
		t.Errorf("after that: %+v", got)
	}
}

// Where nobody can be asked, an interrupted command leaves and says how to go on.
func TestGenerateInterruptedWithoutATerminal(t *testing.T) {
	t.Parallel()
	g := openGallery(t)
	cmd, stdout, stderr := callerCommand(t, g.env, "generate", "A red fox")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "the job's id", patience, func() bool { return anID.MatchString(stderr.String()) })
	id := anID.FindString(stderr.String())
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || stdout.String() != "" || !strings.Contains(stderr.String(), "ai-worker jobs watch "+id) {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	g.open()
	g.poll(id, "succeeded")
}

// A command goes on with its job after the service was away.
func TestGenerateOutlivesARestart(t *testing.T) {
	t.Parallel()
	g := openGallery(t)
	cmd, stdout, stderr := callerCommand(t, g.env, "generate", "A red fox")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "the job's id", patience, func() bool { return anID.MatchString(stderr.String()) })
	g.restart()
	g.open()
	if err := cmd.Wait(); err != nil || !strings.Contains(stdout.String(), `"status":"succeeded"`) {
		t.Errorf("%v, stdout %q, stderr %q", err, stdout, stderr)
	}
}

// Piped output is one JSON document and nothing else.
func TestGeneratePiped(t *testing.T) {
	t.Parallel()
	g := openGallery(t)
	g.open()
	got := runCaller(t, g.env, "generate", "A red fox", "--count", "2", "--metadata", "order=17", "--download", "out/{index}.{ext}")
	var j struct {
		Status    string
		Metadata  map[string]string
		Downloads []struct{ Path string }
	}
	if err := json.Unmarshal([]byte(got.stdout), &j); err != nil || got.code != 0 || strings.Count(got.stdout, "\n") != 1 {
		t.Fatalf("%v in %+v", err, got)
	}
	if j.Status != "succeeded" || len(j.Downloads) != 2 || j.Downloads[1].Path != "out/1.png" || j.Metadata["order"] != "17" {
		t.Errorf("%+v", j)
	}
	if strings.Contains(got.stderr, "\x1b") {
		t.Errorf("what is no terminal gets its commands: %q", got.stderr)
	}

	watched := runCaller(t, g.env, "jobs", "watch", anID.FindString(got.stdout))
	if lines := strings.Split(strings.TrimSpace(watched.stdout), "\n"); len(lines) != 1 || !json.Valid([]byte(lines[0])) {
		t.Errorf("watch of a job that has ended: %+v", watched)
	}
	listed := runCaller(t, g.env, "jobs", "list", "--metadata", "order=17", "--q", "RED", "--status", "succeeded,failed", "--after", "1h")
	if lines := strings.Split(strings.TrimSpace(listed.stdout), "\n"); len(lines) != 1 || anID.FindString(lines[0]) != anID.FindString(got.stdout) {
		t.Errorf("list: %+v", listed)
	}
}

// An input picture that is a file is uploaded first.
func TestGenerateWithAFile(t *testing.T) {
	t.Parallel()
	g := openGallery(t)
	g.open()
	first := runCaller(t, g.env, "generate", "A fox", "--download", t.TempDir()+"/{index}.png")
	var j struct{ Downloads []struct{ Path string } }
	if err := json.Unmarshal([]byte(first.stdout), &j); err != nil || len(j.Downloads) != 1 {
		t.Fatalf("%v in %+v", err, first)
	}
	second := runCaller(t, g.env, "generate", "The same fox in snow", "--input", j.Downloads[0].Path)
	if second.code != 0 || !strings.Contains(second.stdout, `"input_images":["`) {
		t.Errorf("%+v", second)
	}
}

func TestCallerExitCodes(t *testing.T) {
	t.Parallel()
	g := openGallery(t)
	g.open()
	failed := g.poll(g.generate(`{"prompt":"[[finish:SAFETY]] A fox"}`).ID, "failed").ID
	const unknown = "019abcde-0000-7000-8000-000000000000"
	full := t.TempDir() + "/0.png"
	if err := os.WriteFile(full, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		env    []string
		args   []string
		code   int
		stderr string
	}{
		"all pictures":         {g.env, []string{"generate", "A fox"}, 0, "succeeded, 1 of 1 picture"},
		"accepted":             {g.env, []string{"generate", "A fox", "--async"}, 0, ""},
		"a quote":              {g.env, []string{"generate", "A fox", "--dry-run"}, 0, ""},
		"shown":                {g.env, []string{"jobs", "get", failed}, 0, ""},
		"refused":              {g.env, []string{"generate", "A fox", "--count", "17"}, 1, "--count: "},
		"a wrong key":          {append(slices.Clone(g.env), "AI_WORKER_KEY=wrong-key-0123456789"), []string{"jobs", "list"}, 1, "AI_WORKER_KEY"},
		"nobody listens":       {nil, []string{"jobs", "list", "--url", "http://127.0.0.1:1"}, 1, "nothing listens at http://127.0.0.1:1"},
		"a bad address":        {nil, []string{"jobs", "list", "--url", "ftp://x"}, 2, "http or https"},
		"no prompt":            {g.env, []string{"generate"}, 2, "<prompt>"},
		"an empty prompt":      {g.env, []string{"generate", "-"}, 2, "the prompt is empty"},
		"an unknown flag":      {g.env, []string{"generate", "A fox", "--size", "1K"}, 2, "--size"},
		"no such file":         {g.env, []string{"generate", "A fox", "--input", "fox.png"}, 2, "fox.png"},
		"a bad template":       {g.env, []string{"generate", "A fox", "--download", "{name}"}, 2, "{name}"},
		"a file in the way":    {g.env, []string{"generate", "A fox", "--download", full}, 2, "--force"},
		"nobody to ask":        {g.env, []string{"jobs", "delete", unknown}, 2, "--yes"},
		"without pictures":     {g.env, []string{"generate", "[[finish:SAFETY]] A fox"}, 3, "blocked"},
		"no such job":          {g.env, []string{"jobs", "get", unknown}, 4, "no such job"},
		"no such job to watch": {g.env, []string{"jobs", "watch", unknown}, 4, "no such job"},
		"unsaved":              {g.env, []string{"generate", "A fox", "--download", "/dev/null/{id}.png"}, 5, "jobs get"},
	} {
		t.Run(name, func(t *testing.T) {
			got := runCaller(t, tt.env, tt.args...)
			if got.code != tt.code || !strings.Contains(got.stderr, tt.stderr) {
				t.Errorf("exit code %d, want %d; stderr %s", got.code, tt.code, got.stderr)
			}
			if text := strings.TrimSpace(got.stdout); text != "" && !json.Valid([]byte(text)) {
				t.Errorf("stdout is no JSON: %s", text)
			}
		})
	}
}
