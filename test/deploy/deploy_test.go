// Package deploy_test checks that scripts/deploy.sh and cloudbuild.yaml do what
// they promise, without Google Cloud.
package deploy_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// deploy runs the script against c, with no other settings than env, and
// returns what it printed and whether it succeeded.
func (c *cloud) deploy(t *testing.T, env ...string) (output string, ok bool) {
	t.Helper()
	return c.runScript(t, env, "deploy.sh", repository+":build-7", "v7")
}

// runScript runs a script of scripts/ against c, with no other settings than
// env.
func (c *cloud) runScript(t *testing.T, env []string, script string, args ...string) (output string, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "../../scripts/"+script, args...)
	cmd.Env = append([]string{
		"PATH=" + c.programs(t) + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + scratch(t), "PROJECT=" + project,
	}, env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	c.mu.Lock() // no call is answered until c.script is set
	err := cmd.Start()
	c.script = cmd.Process
	c.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	return out.String(), err == nil
}

// scratch returns a folder for what a script leaves if it is killed. A program that the
// script has started may go on writing there.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "scripts.") //nolint:usetesting // t.TempDir fails the test if it cannot remove all
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// A state is the state of the cloud after a deploy.
type state struct {
	Serving, Latest map[string]string // images
	Tagged, Pinned  map[string]string // revisions
	RPM             map[string]string
	Jobs            map[string]string // images
	Live, Rate      string
}

func (c *cloud) state() state {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := state{
		Serving: map[string]string{}, Latest: map[string]string{}, Tagged: map[string]string{},
		Pinned: map[string]string{}, RPM: map[string]string{}, Jobs: map[string]string{},
		Live: c.tags["live"], Rate: c.rate,
	}
	for name, service := range c.services {
		s.Serving[name], s.Latest[name] = service.serving().image, service.latest().image
		s.Tagged[name], s.Pinned[name] = service.tagged, service.pinned
		s.RPM[name] = service.serving().rpm
	}
	for name, j := range c.jobs {
		s.Jobs[name] = j.image
		s.RPM[name] = j.rpm
	}
	return s
}

// all returns the state after a deploy of an image with a quota.
func all(image, rpm, rate string) state {
	services := func(value string) map[string]string {
		return map[string]string{"ai-worker": value, "ai-worker-api": value}
	}
	return state{
		Serving: services(image), Latest: services(image), Tagged: services(""), Pinned: services(""),
		RPM:  map[string]string{"ai-worker": rpm, "ai-worker-api": rpm, "ai-worker-doctor": rpm, "ai-worker-migrate": ""},
		Jobs: map[string]string{"ai-worker-migrate": image, "ai-worker-doctor": image},
		Live: image[strings.Index(image, "@")+1:], Rate: rate,
	}
}

func TestDeployPutsAnImageIntoService(t *testing.T) {
	t.Parallel()
	c := newCloud()
	output, ok := c.deploy(t)
	if !ok {
		t.Fatalf("it failed:\n%s", output)
	}
	if diff := cmp.Diff(all(imageNew, "60", "1.0"), c.state()); diff != "" {
		t.Errorf("what it left (-want +got):\n%s", diff)
	}
	if !regexp.MustCompile(`migrate the database; until now, \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, it was as before`).MatchString(output) {
		t.Errorf("it does not say when the database was migrated:\n%s", output)
	}
	ask := "curl --silent --show-error --max-time 20 --retry 5 --config header = \"X-Serverless-Authorization: Bearer … https://candidate---"
	want := []string{
		"run jobs update ai-worker-migrate --image=" + imageNew,
		"run jobs execute ai-worker-migrate --wait",
		"run services update ai-worker --image=" + imageNew + " --no-traffic",
		"run services update-traffic ai-worker --update-tags=candidate=LATEST",
		ask + "ai-worker.run.app/health --fail --retry-all-errors --include",
		ask + "ai-worker.run.app/tasks/generate --output /dev/null --write-out %{http_code} %{content_type} " +
			"--header Authorization: Bearer … --header Content-Type: application/json --data {}",
		"run services update ai-worker-api --image=" + imageNew + " --no-traffic",
		"run services update-traffic ai-worker-api --update-tags=candidate=LATEST",
		ask + "ai-worker-api.run.app/health --fail --retry-all-errors --include",
		"run jobs update ai-worker-doctor --image=" + imageNew,
		"run jobs execute ai-worker-doctor --args=doctor,--setup --wait",
		"run services update-traffic ai-worker --to-latest --remove-tags=candidate",
		"run services update-traffic ai-worker-api --to-latest --remove-tags=candidate",
		"artifacts tags update live --version=sha256:1111 --package=ai-worker --repository=r",
	}
	if diff := cmp.Diff(want, c.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// Whatever fails, the image of before runs again, and Terraform finds that one.
func TestDeployRollsBack(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*cloud){
		"no job to update":      failing("run jobs update ai-worker-migrate"),
		"a migration":           failing("run jobs execute ai-worker-migrate"),
		"the worker's start":    failing("run services update ai-worker --image"),
		"the worker's tag":      failing("update-traffic ai-worker --update-tags"),
		"the worker's health":   failing("ai-worker.run.app/health"),
		"another version":       func(c *cloud) { c.health = healthy("v6") },
		"a longer version":      func(c *cloud) { c.health = healthy("v77") },
		"no version":            func(c *cloud) { c.health = strings.ReplaceAll(healthy("v7"), "x-version", "x-other") },
		"not healthy":           func(c *cloud) { c.health = strings.ReplaceAll(healthy("v7"), "healthy", "starting") },
		"deliveries by anybody": func(c *cloud) { c.refusal = "200 " },
		"Google's own refusal":  func(c *cloud) { c.refusal = "401 text/html; charset=UTF-8" },
		"the API's start":       failing("run services update ai-worker-api --image"),
		"the API's health":      failing("ai-worker-api.run.app/health"),
		"the queue's rate":      failing("tasks queues update"),
		"doctor's image":        failing("run jobs update ai-worker-doctor"),
		"doctor":                failing("run jobs execute ai-worker-doctor"),
		"the worker's traffic":  failing("update-traffic ai-worker --to-latest"),
		"the API's traffic":     failing("update-traffic ai-worker-api --to-latest"),
		"the tag":               failing("artifacts tags update live"),
		"a build that is ended": func(c *cloud) { c.terminated = "run jobs execute ai-worker-doctor" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCloud()
			trouble(c)
			output, ok := c.deploy(t, "GEMINI_RPM=90")
			if ok {
				t.Error("it succeeded")
			}
			if diff := cmp.Diff(all(imageNow, "60", "1.0"), c.state()); diff != "" {
				t.Errorf("what it left (-want +got):\n%s", diff)
			}
			for _, said := range []string{"deploy: FAILED: ", "was rolled back"} {
				if !strings.Contains(output, said) {
					t.Errorf("it does not say %q", said)
				}
			}
			if t.Failed() {
				t.Log(output)
			}
		})
	}
}

func failing(calls ...string) func(*cloud) {
	return func(c *cloud) { c.failing = calls }
}

// If a step cannot be rolled back, the script prints its commands, to be
// pasted. It still rolls back the rest.
func TestDeploySaysWhatItCouldNotRollBack(t *testing.T) {
	t.Parallel()
	c := newCloud()
	c.failing = []string{"run jobs execute ai-worker-doctor", "run services update ai-worker-api --image=" + imageNow}
	output, ok := c.deploy(t)
	if ok {
		t.Error("it succeeded")
	}
	want := "ROLL-BACK IS INCOMPLETE. What failed, to be done by hand:\n  gcloud run services update ai-worker-api --image=" + imageNow
	if !strings.Contains(output, want) {
		t.Errorf("it does not say %q:\n%s", want, output)
	}
	got := c.state()
	if got.Serving["ai-worker-api"] != imageNow {
		t.Error("the API serves the candidate")
	}
	if got.Latest["ai-worker"] != imageNow || got.Jobs["ai-worker-migrate"] != imageNow {
		t.Errorf("the rest was not rolled back: %+v", got)
	}
}

// A deploy that was killed leaves its candidate as the latest revision. The
// next deploy rolls back to the revision that serves.
func TestDeployAfterOneThatWasKilled(t *testing.T) {
	t.Parallel()
	c := newCloud()
	s := c.services["ai-worker"]
	s.pinned, s.tagged = "ai-worker-1", "ai-worker-2"
	s.revisions = append(s.revisions, revision{name: "ai-worker-2", image: repository + "@sha256:bad", rpm: "60", secret: "1", created: 3})
	c.made = 3
	c.failing = []string{"run jobs execute ai-worker-doctor"}
	if _, ok := c.deploy(t); ok {
		t.Error("it succeeded")
	}
	if diff := cmp.Diff(all(imageNow, "60", "1.0"), c.state()); diff != "" {
		t.Errorf("what it left (-want +got):\n%s", diff)
	}
}

func TestDeploySetsAQuota(t *testing.T) {
	t.Parallel()
	for rpm, rate := range map[string]string{"1": "0.0166666667", "10": "0.166666667", "90": "1.5", "30000": "500"} {
		t.Run(rpm, func(t *testing.T) {
			t.Parallel()
			c := newCloud()
			if output, ok := c.deploy(t, "GEMINI_RPM="+rpm); !ok {
				t.Fatalf("it failed:\n%s", output)
			}
			if diff := cmp.Diff(all(imageNew, rpm, rate), c.state()); diff != "" {
				t.Errorf("what it left (-want +got):\n%s", diff)
			}
		})
	}
}

// A service that did not have the setting does not have it after the roll-back.
func TestDeployTakesAQuotaBack(t *testing.T) {
	t.Parallel()
	c := newCloud()
	for _, s := range c.services {
		s.revisions[0].rpm = ""
	}
	c.jobs["ai-worker-doctor"].rpm = ""
	c.failing = []string{"run jobs execute ai-worker-doctor"}
	if _, ok := c.deploy(t, "GEMINI_RPM=90"); ok {
		t.Error("it succeeded")
	}
	if diff := cmp.Diff(all(imageNow, "", "1.0"), c.state()); diff != "" {
		t.Errorf("what it left (-want +got):\n%s", diff)
	}
}

// A deploy that is refused changes nothing.
func TestDeployRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		env   string
		cloud func(*cloud)
		says  string
	}{
		"no number":      {"GEMINI_RPM=many", nil, "whole number from 1 to 30000"},
		"zero":           {"GEMINI_RPM=0", nil, "whole number from 1 to 30000"},
		"negative":       {"GEMINI_RPM=-5", nil, "whole number from 1 to 30000"},
		"a fraction":     {"GEMINI_RPM=1.5", nil, "whole number from 1 to 30000"},
		"an octal":       {"GEMINI_RPM=010", nil, "whole number from 1 to 30000"},
		"too much":       {"GEMINI_RPM=30001", nil, "whole number from 1 to 30000"},
		"a command":      {"GEMINI_RPM=1;id", nil, "whole number from 1 to 30000"},
		"several lanes":  {"GEMINI_RPM=60", func(c *cloud) { c.settings += "\n" + `LANES,"[{""name"":""a""}]"` }, "set each lane's rpm in Terraform"},
		"another queue":  {"QUEUE=other GEMINI_RPM=60", nil, "which is not the queue of ai-worker"},
		"no such image":  {"", func(c *cloud) { delete(c.tags, "build-7") }, "the registry has no " + repository},
		"split traffic":  {"", func(c *cloud) { c.services["ai-worker-api"].split = true }, "no revision of ai-worker-api has all of its traffic"},
		"another region": {"REGION=us-central1", nil, "no such call"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCloud()
			if tt.cloud != nil {
				tt.cloud(c)
			}
			output, ok := c.deploy(t, strings.Fields(tt.env)...)
			if ok || !strings.Contains(output, tt.says) {
				t.Errorf("it succeeded: %v; it does not say %q:\n%s", ok, tt.says, output)
			}
			if len(c.calls) > 0 {
				t.Errorf("it changed something: %q", c.calls)
			}
		})
	}
}

// A service with several lanes can be deployed.
func TestDeployWithSeveralLanes(t *testing.T) {
	t.Parallel()
	c := newCloud()
	c.settings += "\n" + `LANES,"[{""name"":""a""}]"`
	if output, ok := c.deploy(t); !ok {
		t.Errorf("it failed:\n%s", output)
	}
}

// Terraform makes the services with the first image. Until then, there are no
// services to deploy to.
func TestDeployTagsTheFirstImageOnly(t *testing.T) {
	t.Parallel()
	c := newCloud()
	clear(c.services)
	clear(c.jobs)
	delete(c.tags, "live")
	if output, ok := c.deploy(t, "DEPLOY=false"); !ok {
		t.Fatalf("it failed:\n%s", output)
	}
	want := []string{"artifacts tags create live --version=sha256:1111 --package=ai-worker --repository=r"}
	if diff := cmp.Diff(want, c.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestDeployIsToldWhat(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "../../scripts/deploy.sh", "image").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "usage: ") {
		t.Errorf("%v, %s", err, out)
	}
}
