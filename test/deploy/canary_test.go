package deploy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A canary gets its share, is watched, and then gets all traffic.
func TestCanaryIsWatchedAndPromoted(t *testing.T) {
	t.Parallel()
	c := newCloud()
	output, ok := c.deploy(t, "CANARY=10", "CANARY_MINUTES=2")
	if diff := cmp.Diff(all(imageNew, "60", "1.0"), c.state()); diff != "" || !ok {
		t.Errorf("it succeeded: %v; what it left (-want +got):\n%s", ok, diff)
	}
	for _, said := range []string{"watch the canary for 2 minutes", "the canary of ai-worker got 40 requests, and had 0 errors"} {
		if !strings.Contains(output, said) {
			t.Errorf("it does not say %q:\n%s", said, output)
		}
	}
	if calls := strings.Join(c.calls, "\n"); !strings.Contains(calls, "update-traffic ai-worker --to-revisions=LATEST=10\nrun services update-traffic ai-worker-api --to-revisions=LATEST=10") {
		t.Errorf("no share was given:\n%s", calls)
	}
}

// A canary that fails goes back by itself. What hits the version of before as
// much is not its fault.
func TestCanaryThatFailsGoesBack(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		canary, before int // errors
		says           string
		ok             bool
	}{
		"none":                    {0, 0, "in service", true},
		"two are no sign":         {2, 0, "in service", true},
		"three":                   {3, 0, "has 3 errors in its log with 10 % of the traffic", false},
		"as many as before had":   {5, 45, "in service", true},
		"three times as many":     {15, 45, "was rolled back", false},
		"before had a single one": {3, 1, "was rolled back", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCloud()
			c.errors["ai-worker-3"], c.errors["ai-worker-1"] = tt.canary, tt.before
			output, ok := c.deploy(t, "CANARY=10", "CANARY_MINUTES=1")
			want := imageNow
			if tt.ok {
				want = imageNew
			}
			if diff := cmp.Diff(all(want, "60", "1.0"), c.state()); diff != "" || ok != tt.ok || !strings.Contains(output, tt.says) {
				t.Errorf("it succeeded: %v; what it left (-want +got):\n%s\n%s", ok, diff, output)
			}
		})
	}
}

// held returns the cloud with a canary that waits for a second call.
func held(t *testing.T) *cloud {
	t.Helper()
	c := newCloud()
	output, ok := c.deploy(t, "CANARY=10", "CANARY_MINUTES=0", "GEMINI_RPM=90")
	if !ok || c.tags["live"] != "sha256:0000" || c.services["ai-worker"].canary != "10" || !strings.Contains(output, "canary.sh promote") {
		t.Fatalf("it succeeded: %v; tags %v, %+v\n%s", ok, c.tags, c.services["ai-worker"], output)
	}
	return c
}

func TestCanaryEndsWithASecondCall(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]state{"promote": all(imageNew, "90", "1.5"), "abort": all(imageNow, "60", "1")} {
		if word == "abort" {
			want.RPM["ai-worker-doctor"] = "90" // as Terraform sets it
		}
		for killed := range 6 {
			t.Run(fmt.Sprintf("%s, killed at change %d", word, killed), func(t *testing.T) {
				t.Parallel()
				c := held(t)
				c.killed = killed
				if killed > 0 {
					_, _ = c.runScript(t, nil, "canary.sh", word)
				}
				c.killed = 0
				output, ok := c.runScript(t, nil, "canary.sh", word)
				if !ok && !strings.Contains(output, "no canary is under way") {
					t.Errorf("it failed:\n%s", output)
				}
				if diff := cmp.Diff(want, c.state()); diff != "" {
					t.Errorf("what it left (-want +got):\n%s\n%s", diff, output)
				}
			})
		}
	}
}

// A canary goes back to what served, and not to what a deploy left that was killed
// before it gave its candidates any traffic.
func TestCanaryGoesBackToNothingThatNeverServed(t *testing.T) {
	t.Parallel()
	c := newCloud()
	for name, s := range c.services {
		s.pinned = s.revisions[len(s.revisions)-1].name
		c.make(name, revision{image: repository + "@sha256:bad", rpm: "60", secret: "1"})
	}
	if output, ok := c.deploy(t, "CANARY=10", "CANARY_MINUTES=0"); !ok {
		t.Fatal(output)
	}
	output, ok := c.runScript(t, nil, "canary.sh", "abort")
	if diff := cmp.Diff(both(imageNow, "60", "1"), c.runs(t)); !ok || diff != "" {
		t.Errorf("it succeeded: %t; what runs (-want +got):\n%s\n%s", ok, diff, output)
	}
}

// While a canary is under way, a deploy is refused and says how to go on.
func TestDeployDuringACanary(t *testing.T) {
	t.Parallel()
	c := held(t)
	c.calls = nil
	output, ok := c.deploy(t)
	if ok || len(c.calls) > 0 || !strings.Contains(output, "canary.sh promote") || !strings.Contains(output, "canary.sh abort") {
		t.Errorf("it succeeded: %v; calls %q\n%s", ok, c.calls, output)
	}
}

func TestCanaryRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cloud func(*testing.T) *cloud
		word  string
		says  string
	}{
		"nothing to promote":  {func(*testing.T) *cloud { return newCloud() }, "promote", "no canary is under way"},
		"nothing to abort":    {deployed, "abort", "no canary is under way"},
		"an unknown word":     {deployed, "pause", "usage: "},
		"one that is unwell":  {func(t *testing.T) *cloud { c := held(t); c.health = "HTTP/2 503"; return c }, "promote", "ai-worker is not healthy"},
		"another API":         {func(t *testing.T) *cloud { c := held(t); c.make("ai-worker-api", revision{image: "other"}); return c }, "promote", "runs another image"},
		"one of a killed one": {killedBeforeTraffic, "promote", "no traffic at all"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := tt.cloud(t)
			c.calls = nil
			output, ok := c.runScript(t, nil, "canary.sh", tt.word)
			if ok || !strings.Contains(output, tt.says) {
				t.Errorf("it succeeded: %v; it does not say %q:\n%s", ok, tt.says, output)
			}
		})
	}
}

// killedBeforeTraffic returns the cloud as a deploy leaves it that is killed
// when both candidates are there.
func killedBeforeTraffic(t *testing.T) *cloud {
	t.Helper()
	c := newCloud()
	c.killed = 7
	if output, ok := c.deploy(t); ok {
		t.Fatalf("it was not killed:\n%s", output)
	}
	return c
}

func TestDeployRefusesCanaries(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ env, says string }{
		{"CANARY=0", "CANARY must be a whole number from 1 to 99"},
		{"CANARY=100", "CANARY must be a whole number from 1 to 99"},
		{"CANARY=ten", "CANARY must be a whole number from 1 to 99"},
		{"CANARY=10 CANARY_MINUTES=31", "CANARY_MINUTES must be a whole number from 0 to 30"},
	} {
		c := newCloud()
		output, ok := c.deploy(t, strings.Fields(tt.env)...)
		if ok || len(c.calls) > 0 || !strings.Contains(output, tt.says) {
			t.Errorf("%s: it succeeded: %v, calls %q\n%s", tt.env, ok, c.calls, output)
		}
	}
}
