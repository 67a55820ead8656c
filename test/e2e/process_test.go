// Package e2e_test drives the built programs from outside, as their users and
// Cloud Tasks do.
package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/png"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	buildTimeout = 5 * time.Minute
	startTimeout = 2 * time.Minute
	// patience bounds the wait for something that must happen. The machine may
	// be busy with other tests, and the lease of a killed process runs for a
	// minute.
	patience = 3 * time.Minute
	// maxShown is how much of a process's output a failed test shows, in bytes.
	maxShown = 4 << 10
)

// builds has the programs built so far, each built once in a run, and buildDir
// is where they are.
var (
	builds   sync.Map
	buildDir string
)

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "e2e-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(buildDir)
	os.Exit(code)
}

// build builds a command of this module, unless that is done already, and
// returns its path.
func build(t *testing.T, name string) string {
	t.Helper()
	once, _ := builds.LoadOrStore(name, sync.OnceValues(func() (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
		defer cancel()
		path := filepath.Join(buildDir, name)
		out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "../../cmd/"+name).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
		return path, nil
	}))
	path, err := once.(func() (string, error))() //nolint:forcetypeassert // stored above
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A process is a running command.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *output
	done chan error
}

// output collects what a process prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start runs a command in dir with no other settings than env.
func start(t *testing.T, path, dir string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, out: &output{}, done: make(chan error, 1)}
	p.cmd = exec.Command(path, args...)
	p.cmd.Dir = dir
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		if t.Failed() {
			text := p.out.String()
			t.Logf("%s %s printed at last:\n%s", filepath.Base(path), strings.Join(args, " "), text[max(0, len(text)-maxShown):])
		}
	})
	return p
}

// stop asks the process to end, and waits until it has.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := <-p.done; err != nil {
		p.t.Errorf("ended with %v, want an orderly end", err)
	}
}

// kill ends the process at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
}

// await waits until condition holds.
func await(t *testing.T, what string, limit time.Duration, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(limit)
	for !condition() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("%s did not happen within %s", what, limit)
		}
	}
}

// A job is the part of the API's job that the tests look at.
type job struct {
	ID     string
	Status string
	Images []struct {
		Status                  string
		URL                     string
		ContentType             string `json:"content_type"`
		Width, Height, Attempts int
		Error                   *struct{ Code string }
	}
	Output []string
}

// An api is the service as a caller sees it.
type api struct {
	t    *testing.T
	base string
	key  string
}

// call sends a request, and decodes the answer's body into v.
func (a api) call(method, path, body string, v any, headers ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if a.key != "" {
		req.Header.Set("Authorization", "Bearer "+a.key)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return nil, fmt.Errorf("%s %s: %s: %w in %q", method, path, resp.Status, err, text)
	}
	return resp, nil
}

// healthy reports whether the service answers that it is healthy.
func (a api) healthy() bool {
	var health struct{ Status string }
	_, err := a.call(http.MethodGet, "/health", "", &health)
	return err == nil && health.Status == "healthy"
}

// generate submits a job.
func (a api) generate(body string) job {
	a.t.Helper()
	var j job
	resp, err := a.call(http.MethodPost, "/api/generate-images", body, &j)
	if err != nil {
		a.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusAccepted || resp.Header.Get("Location") != "/api/jobs/"+j.ID {
		a.t.Fatalf("answered %s with Location %q", resp.Status, resp.Header.Get("Location"))
	}
	return j
}

// get polls the job once.
func (a api) get(id string) job {
	a.t.Helper()
	var j job
	resp, err := a.call(http.MethodGet, "/api/jobs/"+id, "", &j)
	if err != nil {
		a.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		a.t.Fatalf("answered %s", resp.Status)
	}
	return j
}

// poll polls the job until it has a status.
func (a api) poll(id, status string) job {
	a.t.Helper()
	var j job
	await(a.t, "job "+id+" "+status, patience, func() bool {
		j = a.get(id)
		return j.Status == status
	})
	return j
}

// picture fetches a picture, and returns its format and its size in pixels.
func (a api) picture(url string) (format string, size image.Point) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	img, format, err := image.Decode(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		a.t.Fatalf("%s: %v", resp.Status, err)
	}
	return format, img.Bounds().Size()
}
