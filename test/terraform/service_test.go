package terraform_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/config"
	"github.com/ai-worker/ai-worker/lane"
)

const (
	imageA = "europe-west1-docker.pkg.dev/my-project/ai-worker/ai-worker@sha256:" +
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	imageB = "europe-west1-docker.pkg.dev/my-project/ai-worker/ai-worker@sha256:" +
		"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// secretValues all hold the word hunter2.
func secretValues() map[string]string {
	return map[string]string{
		"database-url":           "postgres://user:hunter2@db.example.com/jobs",
		"redis-url":              "rediss://default:hunter2@redis.example.com:6379",
		"r2-credentials":         "key-id:hunter2",
		"api-keys":               "web:hunter2hunter2hunter2",
		"gemini-api-key-default": "AIzahunter2",
	}
}

func variables() object {
	return object{
		"project": projectID, "image": imageA,
		"r2": object{
			"account_id": "0123456789abcdef0123456789abcdef", "bucket": "pictures",
			"public_url": "https://pictures.example.com",
		},
		"lanes":          object{"default": object{"rpm": 60, "concurrency": 25}},
		"alert_emails":   []string{"oncall@example.com"},
		"budget":         object{"usd": 50, "per": "day"},
		"billing_budget": object{"billing_account": "012345-6789AB-CDEF01", "monthly_amount": 100},
		"vercel":         object{"team": "acme", "project": "shop"},
		"build_account":  "ai-worker-build@my-project.iam.gserviceaccount.com",
	}
}

// The life of a deployed service: from nothing, through an added lane, a new
// key, a new image and a migration that fails, back to nothing.
func TestServiceFromNothingToNothing(t *testing.T) {
	t.Parallel()
	g := newGoogleAPIs(t)
	r := newRoot(t, "terraform", g)
	g.put("iam/projects/my-project/serviceAccounts/ai-worker-build@my-project.iam.gserviceaccount.com", object{})

	vars := variables()
	r.vars(t, vars)
	out := r.apply(t, 0, secretValues())
	for _, want := range []string{
		"https://ai-worker-api-123456789012.europe-west1.run.app", "gcloud run jobs execute ai-worker-doctor",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the outputs do not tell %q", want)
		}
	}
	r.checkSettled(t)
	checkState(t, r)
	first := g.since(0)
	migrated := slices.Index(first, "RUN migrate")
	served := slices.Index(first, "POST run/projects/my-project/locations/europe-west1/services")
	if migrated < 0 || served < migrated {
		t.Errorf("the services were there before the schema: migrated at %d, served at %d", migrated, served)
	}
	checkSettings(t, g, []lane.Lane{{
		Name: "default", Model: "gemini-nano-banana-2.1", RPM: 60, Concurrency: 25,
		Queue: "projects/my-project/locations/europe-west1/queues/ai-worker-default-v1",
	}})

	t.Run("a lane is one entry and one apply", func(t *testing.T) {
		vars["lanes"] = object{
			"default": object{"rpm": 60, "concurrency": 25, "project": "p1"},
			"second":  object{"rpm": 900, "concurrency": 375, "project": "p2", "billing_account": "x", "also_serves": []any{"gemini-2-image"}},
		}
		r.vars(t, vars)
		before := len(g.since(0))
		r.apply(t, 0, map[string]string{"gemini-api-key-second": "AIzahunter2b"})
		r.checkSettled(t)
		for _, change := range g.since(before) {
			if strings.HasPrefix(change, "DELETE") {
				t.Errorf("adding a lane did %s", change)
			}
		}
		checkSettings(t, g, []lane.Lane{
			{
				Name: "default", Model: "gemini-nano-banana-2.1", RPM: 60, Concurrency: 25,
				Queue: "projects/my-project/locations/europe-west1/queues/ai-worker-default-v1",
			},
			{
				Name: "second", Model: "gemini-nano-banana-2.1", RPM: 900, Concurrency: 375, Account: "x", AlsoServes: []string{"gemini-2-image"},
				Queue: "projects/my-project/locations/europe-west1/queues/ai-worker-second-v1",
			},
		})
	})
	t.Run("a secret is rotated by its number", func(t *testing.T) {
		vars["secret_versions"] = object{"gemini-api-key-second": 2}
		r.vars(t, vars)
		r.apply(t, 0, map[string]string{"gemini-api-key-second": "AIzahunter2c"})
		r.checkSettled(t)
		checkState(t, r)
		if got := g.environment(t, "ai-worker")["GEMINI_API_KEY_SECOND"]; got != "AIzahunter2c" {
			t.Errorf("the worker has the key %q", got)
		}
		old := g.get("secretmanager/projects/my-project/secrets/ai-worker-gemini-api-key-second/versions/1")
		if old["state"] != "DISABLED" {
			t.Errorf("the old key is %v", old["state"])
		}
	})
	t.Run("webhooks are a variable and a secret", func(t *testing.T) {
		vars["webhooks"] = true
		r.vars(t, vars)
		r.apply(t, 0, map[string]string{"webhook-secret": "whsec_hunter2"})
		r.checkSettled(t)
		checkState(t, r)
		for _, service := range []string{"ai-worker", "ai-worker-api"} {
			env := g.environment(t, service)
			cfg, err := config.Load(func(name string) string { return env[name] })
			if err != nil || cfg.WebhookSecret != "whsec_hunter2" || cfg.Tasks.WebhookQueue != "projects/my-project/locations/europe-west1/queues/ai-worker-webhook-v1" {
				t.Errorf("%s has the queue %q, %v", service, cfg.Tasks.WebhookQueue, err)
			}
		}
	})
	t.Run("a number without a value is refused", func(t *testing.T) {
		r.vars(t, merged(vars, "secret_versions", object{"gemini-api-key-second": 2, "redis-url": 2}))
		if out := r.apply(t, 1, nil); !strings.Contains(out, "is required") {
			t.Errorf("it was refused for another reason:\n%s", out)
		}
		r.vars(t, vars)
		if got := g.environment(t, "ai-worker")["REDIS_URL"]; got != secretValues()["redis-url"] {
			t.Errorf("the worker has the Redis %q", got)
		}
	})
	t.Run("a migration that fails leaves what runs", func(t *testing.T) {
		g.failMigrations(true)
		r.vars(t, merged(vars, "image", imageB))
		if out := r.apply(t, 1, nil); !strings.Contains(out, "the execution failed") {
			t.Errorf("it failed for another reason:\n%s", out)
		}
		g.failMigrations(false)
		if got := g.image("ai-worker"); got != imageA {
			t.Errorf("the worker runs %s", got)
		}
	})
	t.Run("a new image is migrated to first", func(t *testing.T) {
		vars["image"] = imageB
		r.vars(t, vars)
		before := len(g.since(0))
		r.apply(t, 0, nil)
		r.checkSettled(t)
		changes := g.since(before)
		if slices.Index(changes, "RUN migrate") > slices.Index(changes, "PATCH run/projects/my-project/locations/europe-west1/services/ai-worker") {
			t.Errorf("the worker came before the schema: %v", changes)
		}
		if got := g.image("ai-worker"); got != imageB {
			t.Errorf("the worker runs %s", got)
		}
	})
	t.Run("a lane can be stopped", func(t *testing.T) {
		vars["lanes"].(object)["second"].(object)["paused"] = true
		r.vars(t, vars)
		r.apply(t, 0, nil)
		r.checkSettled(t)
		if got := g.get("cloudtasks/projects/my-project/locations/europe-west1/queues/ai-worker-second-v1")["state"]; got != "PAUSED" {
			t.Errorf("its queue is %v", got)
		}
	})
	t.Run("what was deleted by hand comes back", func(t *testing.T) {
		g.remove("cloudscheduler/projects/my-project/locations/europe-west1/jobs/ai-worker-sweep")
		r.run(t, 2, "plan", "-detailed-exitcode")
		r.apply(t, 0, nil)
		r.checkSettled(t)
	})
	t.Run("nothing is left", func(t *testing.T) {
		if out := r.run(t, 1, "destroy", "-auto-approve"); !strings.Contains(out, "deletion_protection") {
			t.Errorf("it is not the protection that keeps it:\n%s", out)
		}
		vars["deletion_protection"] = false
		r.vars(t, vars)
		r.apply(t, 0, nil)
		r.run(t, 0, "destroy", "-auto-approve")
		for _, kind := range []string{"queues", "secrets", "alertPolicies", "metrics", "dashboards", "budgets", "jobs", "notificationChannels"} {
			if left := g.names(kind); len(left) > 0 {
				t.Errorf("%s are left: %v", kind, left)
			}
		}
	})
}

// If no image is set, the services run the one that Cloud Build tagged.
func TestServiceRunsWhatCloudBuildDeployed(t *testing.T) {
	t.Parallel()
	g := newGoogleAPIs(t)
	r := newRoot(t, "terraform", g)
	images := "artifactregistry/projects/my-project/locations/europe-west1/repositories/ai-worker/dockerImages/"
	for _, image := range []object{{"uri": imageA, "tags": []any{"live", "build-1"}}, {"uri": imageB, "tags": []any{"build-2"}}} {
		image["name"] = strings.TrimPrefix(images, "artifactregistry/") + filepath.Base(image["uri"].(string))
		image["uploadTime"], image["updateTime"] = "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"
		g.put(images+filepath.Base(image["uri"].(string)), image)
	}
	r.vars(t, object{"project": projectID, "r2": variables()["r2"]})
	r.apply(t, 0, secretValues())
	r.checkSettled(t)
	for _, service := range []string{"ai-worker", "ai-worker-api"} {
		if got := g.image(service); got != imageA {
			t.Errorf("%s runs %s", service, got)
		}
	}
}

// merged returns a copy of vars with one more.
func merged(vars object, name string, value any) object {
	vars = maps.Clone(vars)
	vars[name] = value
	return vars
}

// image returns the image that a service runs.
func (g *googleAPIs) image(service string) string {
	o := g.get("run/projects/" + projectID + "/locations/europe-west1/services/" + service)
	return container(o["template"].(object))["image"].(string)
}

// checkSettings loads the settings that the services were given, as the program
// does when it starts, and compares its lanes.
func checkSettings(t *testing.T, g *googleAPIs, lanes []lane.Lane) {
	t.Helper()
	for _, service := range []string{"ai-worker", "ai-worker-api"} {
		env := g.environment(t, service)
		cfg, err := config.Load(func(name string) string { return env[name] })
		if err != nil {
			t.Errorf("%s does not start: %v", service, err)
			continue
		}
		var got []lane.Lane
		for _, l := range cfg.Lanes {
			if service == "ai-worker" && l.APIKey == "" {
				t.Errorf("lane %s has no key", l.Lane.Name)
			}
			got = append(got, l.Lane)
		}
		if diff := cmp.Diff(lanes, got); diff != "" {
			t.Errorf("lanes of %s (-want +got):\n%s", service, diff)
		}
	}
}

// checkState fails if the state holds the word that is in all secrets.
func checkState(t *testing.T, r *root) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(r.dir, "terraform.tfstate*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no state: %v", err)
	}
	for _, name := range files {
		state, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(state), "hunter2") || strings.Contains(string(state), "aHVudGVyM") {
			t.Errorf("%s holds a secret", filepath.Base(name))
		}
	}
}
