package terraform_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
	g := newGoogleAPIs(t, quirks{})
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
	t.Run("a corrected secret takes effect", func(t *testing.T) {
		values := map[string]string{"gemini-api-key-second": "AIzahunter2c"}
		r.with(t, values, func() string { return r.run(t, 2, "plan", "-detailed-exitcode", "-out=planned") })
		if plan := r.run(t, 0, "show", "-json", "planned"); strings.Contains(plan, "hunter2") {
			t.Error("a plan holds a secret")
		}
		r.apply(t, 0, values)
		r.checkSettled(t)
		checkState(t, r)
		if got := g.environment(t, "ai-worker")["GEMINI_API_KEY_SECOND"]; got != "AIzahunter2c" {
			t.Errorf("the worker has the key %q", got)
		}
		old := g.get("secretmanager/projects/my-project/secrets/ai-worker-gemini-api-key-second/versions/1")
		if old["state"] != "DISABLED" || old["scheduledDestroyTime"] == nil {
			t.Errorf("the old key is %v", old)
		}
		if got := g.names("versions"); len(got) != 7 {
			t.Errorf("other secrets have new versions, too: %v", got)
		}
	})
	t.Run("another service on the same state deletes nothing", func(t *testing.T) {
		r.vars(t, merged(vars, "name", "staging"))
		values := withSecret(secretValues(), "gemini-api-key-second", "AIzahunter2b") // so that nothing else is refused
		if out := r.with(t, values, func() string { return r.run(t, 1, "plan") }); !strings.Contains(out, "This state is that of my-project/ai-worker") {
			t.Errorf("it was refused for another reason:\n%s", out)
		}
		r.vars(t, vars)
	})
	t.Run("webhooks are a variable and a secret", func(t *testing.T) {
		vars["webhooks"], vars["budget_webhook"] = true, "https://hooks.example.com/budgets"
		r.vars(t, vars)
		r.apply(t, 0, map[string]string{"webhook-secret": "whsec_hunter2", "budget-webhook-secret": "whsec_hunter2b"})
		r.checkSettled(t)
		checkState(t, r)
		for _, service := range []string{"ai-worker", "ai-worker-api"} {
			env := g.environment(t, service)
			cfg, err := config.Load(func(name string) string { return env[name] })
			if err != nil || cfg.WebhookSecret != "whsec_hunter2" || cfg.BudgetWebhookSecret != "whsec_hunter2b" ||
				cfg.BudgetWebhook != "https://hooks.example.com/budgets" || cfg.Tasks.WebhookQueue != "projects/my-project/locations/europe-west1/queues/ai-worker-webhook-v1" {
				t.Errorf("%s has the queue %q, %v", service, cfg.Tasks.WebhookQueue, err)
			}
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

// If no image is set, the services run the one that Cloud Build tagged. Cloud Build
// and Terraform do not undo what the other did.
func TestServiceRunsWhatCloudBuildDeployed(t *testing.T) {
	t.Parallel()
	g := newGoogleAPIs(t, quirks{})
	r := newRoot(t, "terraform", g)
	g.deploy(imageB)
	g.deploy(imageA)
	vars := object{"project": projectID, "r2": variables()["r2"], "dashboard": object{}}
	r.vars(t, vars)
	r.apply(t, 0, withSecret(secretValues(), "dashboard-users", hashed))
	services := []string{"ai-worker", "ai-worker-api", "ai-worker-dashboard"}
	check := func(what, image string) {
		t.Helper()
		r.checkSettled(t)
		for _, service := range services {
			if got := g.image(service); got != image || !g.servesLatest(service) {
				t.Errorf("%s, %s runs %s", what, service, got)
			}
		}
	}
	check("after the first apply", imageA)
	g.deploy(imageB)
	check("after a deploy", imageB)
	g.deploy(imageA) // scripts/rollback.sh deploys the older image anew
	check("after a roll-back", imageA)
	g.deploy(imageB)
	check("after the next deploy", imageB)

	for _, service := range services {
		g.pin(service, service+"-00001-abc")
	}
	before := len(g.since(0))
	r.apply(t, 0, nil)
	check("after an apply that found a pinned revision", imageB)
	if slices.Contains(g.since(before), "RUN migrate") {
		t.Error("it migrated again")
	}

	vars["api"] = object{"memory_mib": 2048}
	r.vars(t, vars)
	r.apply(t, 0, nil)
	check("after an apply that changes a service", imageB)

	// States of before have each service as a resource of its own.
	for key, before := range map[string]string{"worker": "worker", "api": "api", "dashboard": `dashboard["dashboard"]`} {
		r.run(t, 0, "state", "mv", `google_cloud_run_v2_service.this["`+key+`"]`, "google_cloud_run_v2_service."+before)
	}
	before = len(g.since(0))
	r.apply(t, 0, nil)
	check("after an apply to a state of before", imageB)
	if changes := g.since(before); len(changes) > 0 {
		t.Errorf("it changed %v", changes)
	}
}

// An organisation forbids allUsers, rights and APIs take a while to be felt,
// operations take theirs, and some secrets are there already.
func TestFirstApplyInAnOrganisation(t *testing.T) {
	t.Parallel()
	g := newGoogleAPIs(t, quirks{lag: 4 * time.Second, slowOperations: true, allUsersForbidden: true})
	r := newRoot(t, "terraform", g)
	r.env = append(r.env, "TF_VAR_settle_seconds=5")
	g.put("iam/projects/my-project/serviceAccounts/ai-worker-build@my-project.iam.gserviceaccount.com", object{})
	values, existing := withSecret(secretValues(), "dashboard-users", hashed), object{}
	for name, id := range map[string]string{"redis-url": "redis-url", "gemini-api-key-default": "gemini-api-key"} {
		g.addSecret(id, values[name])
		existing[name] = id
		delete(values, name)
	}
	vars := variables()
	vars["existing_secrets"] = existing
	vars["dashboard"] = object{"invoker_iam_disabled": true}
	r.vars(t, vars)
	if out := r.apply(t, 1, values); !strings.Contains(out, "do not belong to a permitted customer") || strings.Contains(out, "Error 403") {
		t.Fatalf("it failed for another reason:\n%s", out)
	}
	vars["api"] = object{"invoker_iam_disabled": true}
	r.vars(t, vars)
	r.apply(t, 0, nil)
	r.checkSettled(t)
	checkState(t, r)
	checkSettings(t, g, []lane.Lane{{
		Name: "default", Model: "gemini-nano-banana-2.1", RPM: 60, Concurrency: 25,
		Queue: "projects/my-project/locations/europe-west1/queues/ai-worker-default-v1",
	}})
	checkDashboard(t, g)

	t.Run("a new version of an existing secret takes effect", func(t *testing.T) {
		g.addSecret("redis-url", "rediss://default:hunter2b@redis.example.com:6379")
		r.apply(t, 0, nil)
		r.checkSettled(t)
		if got := g.environment(t, "ai-worker")["REDIS_URL"]; !strings.Contains(got, "hunter2b") {
			t.Errorf("the worker has the Redis %q", got)
		}
	})
}

// Without a value for each secret, nothing is made.
func TestSecretWithoutAValueIsRefused(t *testing.T) {
	t.Parallel()
	g := newGoogleAPIs(t, quirks{})
	r := newRoot(t, "terraform", g)
	r.vars(t, object{"project": projectID, "image": imageA, "r2": variables()["r2"]})
	values := secretValues()
	delete(values, "redis-url")
	if out := r.apply(t, 1, values); !strings.Contains(out, "There is no value yet for ai-worker-redis-url.") {
		t.Errorf("it was refused for another reason:\n%s", out)
	}
	if changes := g.since(0); len(changes) > 0 {
		t.Errorf("it did %v", changes)
	}
}

// hashed is a user of the dashboard's, with the hash of hunter2.
const hashed = "ada:admin:$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"

// withSecret returns a copy of secrets with one more.
func withSecret(secrets map[string]string, name, value string) map[string]string {
	secrets = maps.Clone(secrets)
	secrets[name] = value
	return secrets
}

// checkDashboard loads the settings that the dashboard was given, as the program
// does when it starts. It must have no key that it does not need.
func checkDashboard(t *testing.T, g *googleAPIs) {
	t.Helper()
	env := g.environment(t, "ai-worker-dashboard")
	cfg, err := config.Load(func(name string) string { return env[name] })
	if err != nil {
		t.Fatalf("the dashboard does not start: %v", err)
	}
	if !cfg.Dashboard.Enabled || len(cfg.Dashboard.Users) != 1 || cfg.Tasks.SweepQueue == "" {
		t.Errorf("it has the users %v and the queue %q", cfg.Dashboard.Users, cfg.Tasks.SweepQueue)
	}
	for _, name := range []string{"GEMINI_API_KEY", "API_KEYS"} {
		if env[name] != "" {
			t.Errorf("it has %s", name)
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
