package deploy_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// deployed returns the cloud after one more deploy: of imageNew, with another
// quota and another version of the secret.
func deployed(t *testing.T) *cloud {
	t.Helper()
	c := newCloud()
	for _, name := range []string{"ai-worker", "ai-worker-api"} {
		c.make(name, revision{image: imageNew, rpm: "90", secret: "2"})
	}
	for _, j := range c.jobs {
		j.image = imageNew
	}
	c.tags["live"], c.rate = "sha256:1111", "1.5"
	return c
}

// release is what a service runs.
type release struct{ Image, RPM, Secret string }

// runs returns what serves. It fails unless the latest revision of each service
// has all traffic, without a tag.
func (c *cloud) runs(t *testing.T) map[string]release {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	got := map[string]release{}
	for name, s := range c.services {
		if s.pinned != "" || s.tagged != "" || s.canary != "" {
			t.Errorf("%s: the latest revision does not have all traffic: pinned %q, tagged %q, canary %q", name, s.pinned, s.tagged, s.canary)
		}
		r := s.latest()
		got[name] = release{r.image, r.rpm, r.secret}
	}
	return got
}

func both(image, rpm, secret string) map[string]release {
	r := release{image, rpm, secret}
	return map[string]release{"ai-worker": r, "ai-worker-api": r}
}

// checkRolledBack fails unless c is as before `deployed`.
func (c *cloud) checkRolledBack(t *testing.T, output string) {
	t.Helper()
	if diff := cmp.Diff(both(imageNow, "60", "1"), c.runs(t)); diff != "" {
		t.Errorf("what runs (-want +got):\n%s", diff)
	}
	if c.tags["live"] != "sha256:0000" || c.rate != "1" || c.jobs["ai-worker-migrate"].image != imageNow || c.jobs["ai-worker-doctor"].image != imageNow {
		t.Errorf("tags %v, rate %s, jobs %+v %+v", c.tags, c.rate, c.jobs["ai-worker-migrate"], c.jobs["ai-worker-doctor"])
	}
	if t.Failed() {
		t.Log(output)
	}
}

func TestRollbackGoesBackAsAWhole(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"to what ran before": {"previous"}, "to a worker's revision": {"ai-worker-1"}, "to an API's revision": {"ai-worker-api-1"},
		"to a revision of each": {"ai-worker-1", "ai-worker-api-1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := deployed(t)
			output, ok := c.runScript(t, nil, "rollback.sh", args...)
			if !ok || !strings.Contains(output, "migrations stay") {
				t.Fatalf("it succeeded: %v\n%s", ok, output)
			}
			c.checkRolledBack(t, output)
		})
	}
}

// Killed after any of the calls that change something and run again, it ends the
// same, and makes no third revision of a service. Run once more, it changes
// nothing that serves: it does not go further back.
func TestRollbackAfterItWasKilled(t *testing.T) {
	t.Parallel()
	for killed := 1; killed <= 6; killed++ {
		for _, target := range []string{"previous", "ai-worker-1"} {
			t.Run(fmt.Sprintf("at change %d, to %s", killed, target), func(t *testing.T) {
				t.Parallel()
				c := deployed(t)
				c.killed = killed
				if output, ok := c.runScript(t, nil, "rollback.sh", target); ok {
					t.Fatalf("it was not killed:\n%s", output)
				}
				for range 2 {
					output, ok := c.runScript(t, nil, "rollback.sh", target)
					if !ok {
						t.Fatalf("it failed:\n%s", output)
					}
					c.checkRolledBack(t, output)
				}
				for name, s := range c.services {
					if len(s.revisions) != 3 {
						t.Errorf("%s has %d revisions", name, len(s.revisions))
					}
				}
			})
		}
	}
}

// After a roll-back, the next deploy is served.
func TestDeployAfterARollback(t *testing.T) {
	t.Parallel()
	c := deployed(t)
	if output, ok := c.runScript(t, nil, "rollback.sh", "previous"); !ok {
		t.Fatal(output)
	}
	if output, ok := c.deploy(t); !ok {
		t.Fatal(output)
	}
	if diff := cmp.Diff(both(imageNew, "60", "1"), c.runs(t)); diff != "" {
		t.Errorf("what runs (-want +got):\n%s", diff)
	}
}

// What changed one service only is taken back in that one only.
func TestRollbackLeavesAloneWhatDidNotChange(t *testing.T) {
	t.Parallel()
	c := deployed(t)
	c.make("ai-worker", revision{image: imageNew, rpm: "120", secret: "2"})
	api := len(c.services["ai-worker-api"].revisions)
	output, ok := c.runScript(t, nil, "rollback.sh", "previous")
	if diff := cmp.Diff(both(imageNew, "90", "2"), c.runs(t)); diff != "" || !ok {
		t.Errorf("it succeeded: %v; what runs (-want +got):\n%s%s", ok, diff, output)
	}
	if len(c.services["ai-worker-api"].revisions) != api {
		t.Error("the API has a new revision")
	}
}

// A dashboard with a service of its own goes back with the others. One that did
// not run then stays.
func TestRollbackTakesTheDashboardAlong(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		revisions []string
		want      string
	}{
		"that ran":       {[]string{imageNow, imageNew}, imageNow},
		"that is newer":  {[]string{imageNew}, imageNew},
		"that is behind": {[]string{imageNow}, imageNow},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := deployed(t)
			c.services["ai-worker-dashboard"] = &service{}
			for i, image := range tt.revisions {
				c.make("ai-worker-dashboard", revision{image: image, rpm: "60", secret: "1"})
				if i == 0 && len(tt.revisions) > 1 || image == imageNow {
					c.services["ai-worker-dashboard"].revisions[0].created = 0
				}
			}
			output, ok := c.runScript(t, nil, "rollback.sh", "previous")
			if got := c.runs(t); !ok || got["ai-worker-dashboard"].Image != tt.want || got["ai-worker"].Image != imageNow || got["ai-worker-api"].Image != imageNow {
				t.Errorf("it succeeded: %v; what runs: %v\n%s", ok, got, output)
			}
		})
	}
}

// A candidate that a killed deploy left, and one that a failed deploy took out,
// never had the traffic: nothing goes back to them.
func TestRollbackGoesToNothingThatNeverServed(t *testing.T) {
	t.Parallel()
	c := deployed(t)
	c.failing = []string{"run jobs execute ai-worker-doctor"}
	if _, ok := c.deploy(t); ok {
		t.Fatal("it succeeded")
	}
	for name, s := range c.services {
		for _, r := range s.revisions[1 : len(s.revisions)-1] {
			if r.created > 4 {
				t.Errorf("%s still has %v", name, r)
			}
		}
	}
}

// The secrets of today serve if those of then are gone.
func TestRollbackWithTheSecretsOfToday(t *testing.T) {
	t.Parallel()
	c := deployed(t)
	c.secrets["1"] = "DESTROYED"
	output, ok := c.runScript(t, nil, "rollback.sh", "--current-secrets", "previous")
	if diff := cmp.Diff(both(imageNow, "60", "2"), c.runs(t)); diff != "" || !ok {
		t.Errorf("it succeeded: %v; what runs (-want +got):\n%s%s", ok, diff, output)
	}
}

// What is refused, or a dry run, changes nothing.
func TestRollbackRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args  string
		cloud func(*cloud)
		says  string
		ok    bool
	}{
		"nothing before": {"previous", func(c *cloud) {
			for _, s := range c.services {
				s.revisions = s.revisions[1:]
			}
		}, "there is nothing to go back to", false},
		"a disabled secret":         {"previous", func(c *cloud) { c.secrets["1"] = "DISABLED" }, "gcloud secrets versions enable 1 --secret=ai-worker-database-url", false},
		"a destroyed secret":        {"previous", func(c *cloud) { c.secrets["1"] = "DESTROYED" }, "is destroyed. Go back with today's: --current-secrets", false},
		"an image that is gone":     {"previous", func(c *cloud) { c.gone = "sha256:0000" }, "the registry does not have " + imageNow + " any more", false},
		"an unknown revision":       {"ai-worker-77", nil, "has a revision ai-worker-77", false},
		"no canary":                 {"canary", nil, "no canary is under way", false},
		"no rights to list":         {"previous", failing("run services list"), "needs roles/run.viewer on the project", false},
		"no rights to look":         {"previous", failing("secrets versions describe"), "needs roles/secretmanager.viewer", false},
		"an image of one service":   {"ai-worker-5", func(c *cloud) { c.make("ai-worker", revision{image: repository + "@sha256:2222", secret: "1"}) }, "ai-worker-api has never run", false},
		"no word":                   {"", nil, "usage: ", false},
		"a word too much":           {"previous ai-worker-1", nil, "previous stands alone", false},
		"a dry run":                 {"--dry-run previous", nil, "ai-worker: from ai-worker-3 to ai-worker-1 of 2026-11-26T10:01:00.5Z, " + imageNow, true},
		"a dry run of what is done": {"--dry-run ai-worker-3", nil, "nothing to do", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCloud()
			c.made = 0
			for i, name := range []string{"ai-worker", "ai-worker-api"} {
				c.services[name].revisions[0].created = i + 1
			}
			c.made = 2
			for _, name := range []string{"ai-worker", "ai-worker-api"} {
				c.make(name, revision{image: imageNew, rpm: "90", secret: "2"})
			}
			if tt.cloud != nil {
				tt.cloud(c)
			}
			before := maps.Clone(c.tags)
			output, ok := c.runScript(t, nil, "rollback.sh", strings.Fields(tt.args)...)
			if ok != tt.ok || !strings.Contains(output, tt.says) {
				t.Errorf("it succeeded: %v; it does not say %q:\n%s", ok, tt.says, output)
			}
			if calls := c.calls; len(calls) > 0 || !maps.Equal(before, c.tags) {
				t.Errorf("it changed something: %q", calls)
			}
		})
	}
}
