package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/config"
	"github.com/ai-worker/ai-worker/lane"
)

// production returns the settings without which the service does not start.
func production() map[string]string {
	return map[string]string{
		"DATABASE_URL":          "postgres://user:hunter2@db.example.com/jobs",
		"REDIS_URL":             "rediss://default:hunter2@redis.example.com:6379",
		"GEMINI_API_KEY":        "AIzahunter2",
		"R2_ACCOUNT_ID":         "abc123",
		"R2_ACCESS_KEY_ID":      "key-id",
		"R2_SECRET_ACCESS_KEY":  "hunter2",
		"R2_BUCKET":             "pictures",
		"CLOUD_TASKS_QUEUE":     "projects/p/locations/europe-west1/queues/images-v1",
		"WORKER_URL":            "https://worker-1.europe-west1.run.app/",
		"TASKS_SERVICE_ACCOUNT": "tasks@p.iam.gserviceaccount.com",
		"API_KEYS":              "web:hunter2hunter2hunter2, batch:hunter2hunter2hunter3:0.5",
	}
}

func getenv(settings map[string]string) func(string) string {
	return func(name string) string { return settings[name] }
}

func with(settings map[string]string, more ...string) map[string]string {
	settings = maps.Clone(settings)
	for i := 0; i < len(more); i += 2 {
		settings[more[i]] = more[i+1]
	}
	return settings
}

// faulty returns the names of the settings that err complains of.
func faulty(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var faults config.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("got %v, want Faults", err)
	}
	var names []string
	for _, f := range faults {
		names = append(names, f.Setting)
	}
	return names
}

func TestLoadFillsInDefaults(t *testing.T) {
	got, err := config.Load(getenv(production()))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		Port: 8080, Role: config.RoleAll, LogLevel: slog.LevelInfo,
		DatabaseURL: "postgres://user:hunter2@db.example.com/jobs",
		RedisURL:    "rediss://default:hunter2@redis.example.com:6379",
		Gemini:      config.Gemini{APIKey: "AIzahunter2", Model: "gemini-nano-banana-2.1", RPM: 60, Concurrency: 5},
		R2: config.R2{
			AccessKeyID: "key-id", SecretAccessKey: "hunter2", Bucket: "pictures",
			Endpoint: "https://abc123.r2.cloudflarestorage.com",
		},
		Tasks: config.Tasks{
			Queue: "projects/p/locations/europe-west1/queues/images-v1", WorkerURL: "https://worker-1.europe-west1.run.app",
			ServiceAccount: "tasks@p.iam.gserviceaccount.com", Audience: "https://worker-1.europe-west1.run.app",
		},
		APIKeys: []config.APIKey{
			{Tenant: "web", Key: "hunter2hunter2hunter2", Weight: 1}, {Tenant: "batch", Key: "hunter2hunter2hunter3", Weight: 0.5},
		},
		Lanes: []config.KeyedLane{{
			Lane: lane.Lane{
				Name: "default", Model: "gemini-nano-banana-2.1", RPM: 60, Concurrency: 5,
				Queue: "projects/p/locations/europe-west1/queues/images-v1",
			},
			APIKey: "AIzahunter2",
		}},
		Instances:  1,
		MaxWaiting: 10_000,
		PublicURL:  "https://worker-1.europe-west1.run.app",
		Dashboard:  config.Dashboard{Pictures: "operator"},
		Dev:        config.Dev{Host: "localhost"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

func TestLoadReportsEverythingAtOnce(t *testing.T) {
	_, err := config.Load(getenv(nil))
	want := slices.Sorted(maps.Keys(production()))
	if diff := cmp.Diff(want, faulty(t, err)); diff != "" {
		t.Errorf("missing settings (-want +got):\n%s", diff)
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, tt := range []struct{ setting, value string }{
		{"PORT", "http"},
		{"PORT", "65536"},
		{"ROLE", "boss"},
		{"LOG_LEVEL", "loud"},
		{"DATABASE_URL", "mysql://db.example.com"},
		{"DATABASE_URL", "db.example.com"},
		{"REDIS_URL", "https://redis.example.com"},
		{"GEMINI_RPM", "0"},
		{"GEMINI_RPM", "-5"},
		{"GEMINI_RPM", "1.5"},
		{"GEMINI_RPM", "30001"},
		{"WORKER_CONCURRENCY", "0"},
		{"WORKER_CONCURRENCY", "5001"},
		{"GEMINI_BASE_URL", "localhost:9000"},
		{"R2_ENDPOINT", "ftp://x.example.com"},
		{"R2_ENDPOINT", "https://key:hunter2@x.example.com"},
		{"R2_ENDPOINT", "https://hunter2@x.example.com"},
		{"R2_ENDPOINT", "https://x.example.com/?password=hunter2"},
		{"R2_ENDPOINT", "https://key:hunter2@[x.example.com"},
		{"GEMINI_BASE_URL", "https://key:hunter2@x.example.com"},
		{"R2_PUBLIC_URL", "pictures.example.com"},
		{"CLOUD_TASKS_QUEUE", "images"},
		{"CLOUD_TASKS_QUEUE", "projects/p/locations/l/queues/a_b"},
		{"SWEEP_QUEUE", "sweep"},
		{"ENABLE_DASHBOARD", "maybe"},
		{"ENABLE_BULL_BOARD", "on"},
		{"DASHBOARD_USERS", "alice:admin"},
		{"DASHBOARD_USERS", "alice:admin:hunter2hunter2"}, // a password
		{"DASHBOARD_USERS", "alice:boss:" + hash},
		{"DASHBOARD_USERS", "al ice:admin:" + hash},
		{"DASHBOARD_USERS", "alice:admin:" + hash + ",alice:viewer:" + hash},
		{"DASHBOARD_USERS", "alice:admin:$2a$04$6hunter2hunter2hunter2uT3yR8eFzLwq0n1bXcVbNmQwErTyUiOpA"},
		{"DASHBOARD_LOGS_URL", "https://logs.example.com/all"},
		{"DASHBOARD_LOGS_URL", "https://logs.example.com/{job_id}/{secret}"},
		{"DASHBOARD_TRACE_URL", "javascript:alert({job_id})"},
		{"DASHBOARD_TRACE_URL", "https://ada:hunter2@logs.example.com/{job_id}"},
		{"DASHBOARD_IAP_ROLES", "alice:admin"},
		{"DASHBOARD_IAP_ROLES", "example.com:boss"},
		{"WORKER_URL", "worker.example.com"},
		{"TASKS_JWKS_URL", "https://keys.example.com"}, // without CLOUD_TASKS_ENDPOINT
		{"TASKS_SIGNATURE_CHECKED_BY", "nobody"},
		{"TASKS_SIGNATURE_CHECKED_BY", "cloud-run"}, // with ROLE=all
		{"CLOUD_TASKS_EMULATOR_PORT", "any"},
		{"API_KEYS", ","},
		{"API_KEYS", "web"},
		{"API_KEYS", "web:short"},
		{"API_KEYS", "two words:hunter2hunter2hunter2"},
		{"API_KEYS", "a:hunter2hunter2hunter2,b:hunter2hunter2hunter2"},
		{"API_KEYS", "a:hunter2hunter2hunter2:0"},
		{"API_KEYS", "a:hunter2hunter2hunter2:NaN"},
		{"API_KEYS", "a:hunter2hunter2hunter2:heavy"},
		{"TENANTS", "hunter2"},
		{"TENANTS", `[]`},
		{"TENANTS", `{}{}`},
		{"TENANTS", `{"web":{}`},
		{"TENANTS", `{"nobody":{}}`},
		{"TENANTS", `{"web":{},"web":{}}`},
		{"TENANTS", `{"web":5}`},
		{"TENANTS", `{"web":{"wieght":1}}`},
		{"TENANTS", `{"web":{"Weight":1}}`},
		{"TENANTS", `{"web":{"weight":0}}`},
		{"TENANTS", `{"web":{"weight":null}}`},
		{"TENANTS", `{"web":{"weight":"2"}}`},
		{"TENANTS", `{"web":{"max_waiting_pictures":15}}`},
		{"TENANTS", `{"web":{"max_waiting_pictures":16.5}}`},
		{"TENANTS", `{"web":{"max_cost_usd":0}}`},
		{"TENANTS", `{"web":{"max_cost_usd":1000001}}`},
		{"CORS_ORIGINS", "*"},
		{"CORS_ORIGINS", "https://*.example.com"},
		{"CORS_ORIGINS", "null"},
		{"CORS_ORIGINS", ","},
		{"CORS_ORIGINS", "app.example.com"},
		{"CORS_ORIGINS", "http://app.example.com"},
		{"CORS_ORIGINS", "http://localhost.example.com"},
		{"CORS_ORIGINS", "https://app.example.com/"},
		{"CORS_ORIGINS", "https://app.example.com/path"},
		{"CORS_ORIGINS", "https://app.example.com?a"},
		{"CORS_ORIGINS", "https://app.example.com:443"},
		{"CORS_ORIGINS", "https://App.example.com"},
		{"CORS_ORIGINS", "https://user:hunter2@app.example.com"},
		{"CORS_ORIGINS", "ftp://app.example.com"},
		{"WORKER_MAX_INSTANCES", "0"},
		{"RETENTION_DAYS", "-1"},
		{"MAX_WAITING_PICTURES", "0"},
		{"MAX_WAITING_PICTURES", "15"}, // less than the largest job has
		{"LANES", "hunter2"},
		{"LANES", "[]"},
		{"LANES", `[{"name":"a","rmp":60}]`},
		{"LANES", `[{"name":"a","queue":"projects/p/locations/l/queues/q"}]`},
		{"LANES", `[{"name":"A","queue":"projects/p/locations/l/queues/q","api_key":"k"}]`},
		{"LANES", `[{"name":"a","queue":"q","api_key":"k"}]`},
		{"LANES", `[{"name":"a","rpm":-1,"queue":"projects/p/locations/l/queues/q","api_key":"k"}]`},
		{"LANES", `[{"name":"a","queue":"projects/p/locations/l/queues/q","api_key":"k"},` +
			`{"name":"a","queue":"projects/p/locations/l/queues/r","api_key":"k"}]`},
		{"LANES", `[{"name":"a","queue":"projects/p/locations/l/queues/q","api_key":"k"},` +
			`{"name":"b","queue":"projects/p/locations/l/queues/q","api_key":"k"}]`},
		{"LANES", `[{"name":"a","queue":"projects/p/locations/l/queues/q","api_key":"k","project":"x"},` +
			`{"name":"b","queue":"projects/p/locations/l/queues/r","api_key":"k","project":"x"}]`},
		{"LANES", `[{"name":"a","queue":"projects/p/locations/l/queues/q","api_key":"k","project":"x"},` +
			`{"name":"b","queue":"projects/p/locations/l/queues/r","api_key":"k","project":"x","model":"gemini-nano-banana-2.1"}]`},
		{"LANES", `[{"name":"a","queue":"projects/p/locations/l/queues/q","api_key":"k","also_serves":[""]}]`},
		{"LANES", `[{"name":"a","queue":"projects/p/locations/l/queues/q","api_key":"k","also_serves":["gemini-nano-banana-2.1"]}]`},
		{"R2_CREDENTIALS", "id:secret"}, // and R2_ACCESS_KEY_ID too
		{"PUBLIC_URL", "example.com"},
	} {
		t.Run(tt.setting+"="+tt.value, func(t *testing.T) {
			_, err := config.Load(getenv(with(production(), tt.setting, tt.value)))
			if diff := cmp.Diff([]string{tt.setting}, faulty(t, err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error quotes a secret: %v", err)
			}
		})
	}
}

func TestOriginsAreExact(t *testing.T) {
	cfg, err := config.Load(getenv(with(production(), "CORS_ORIGINS",
		"https://app.example.com, http://localhost:3000,http://127.0.0.1:3000,http://[::1]:3000,https://app.example.com:8443,https://app.example.com")))
	want := []string{
		"https://app.example.com", "http://localhost:3000", "http://127.0.0.1:3000", "http://[::1]:3000", "https://app.example.com:8443",
	}
	if diff := cmp.Diff(want, cfg.Origins); diff != "" || err != nil {
		t.Errorf("origins (-want +got):\n%s, %v", diff, err)
	}
}

func TestLoadAsksARoleForItsOwnSettingsOnly(t *testing.T) {
	for role, absent := range map[string]string{"api": "GEMINI_API_KEY", "worker": "API_KEYS"} {
		settings := with(production(), "ROLE", role)
		delete(settings, absent)
		if _, err := config.Load(getenv(settings)); err != nil {
			t.Errorf("ROLE=%s without %s: %v", role, absent, err)
		}
	}
}

func TestLoadAsksOnlyAWorkerForTheKeysOfLanes(t *testing.T) {
	settings := with(production(), "ROLE", "api", "LANES",
		`[{"name":"a","queue":"projects/p/locations/l/queues/a","api_key_env":"KEY_A"}]`)
	if _, err := config.Load(getenv(settings)); err != nil {
		t.Errorf("ROLE=api without the key of a lane: %v", err)
	}
	_, err := config.Load(getenv(with(settings, "ROLE", "worker")))
	if diff := cmp.Diff([]string{"KEY_A"}, faulty(t, err)); diff != "" {
		t.Errorf("faults of a worker (-want +got):\n%s", diff)
	}
}

func TestLoadReadsR2CredentialsAsOneSecret(t *testing.T) {
	settings := production()
	delete(settings, "R2_ACCESS_KEY_ID")
	delete(settings, "R2_SECRET_ACCESS_KEY")
	cfg, err := config.Load(getenv(with(settings, "R2_CREDENTIALS", "key-id:hunter2\n")))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.R2.AccessKeyID != "key-id" || cfg.R2.SecretAccessKey.Reveal() != "hunter2" {
		t.Errorf("got %q and %q", cfg.R2.AccessKeyID, cfg.R2.SecretAccessKey.Reveal())
	}
	_, err = config.Load(getenv(with(settings, "R2_CREDENTIALS", "hunter2")))
	if diff := cmp.Diff([]string{"R2_CREDENTIALS"}, faulty(t, err)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestLoadDevAsksForWholeServices(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings map[string]string
		want     []string
	}{
		{name: "nothing"},
		{name: "everything", settings: production()},
		{name: "one service", settings: map[string]string{"DATABASE_URL": "postgres://localhost/jobs"}},
		{
			name:     "half a service",
			settings: map[string]string{"R2_BUCKET": "pictures"},
			want:     []string{"R2_ACCESS_KEY_ID", "R2_ACCOUNT_ID", "R2_SECRET_ACCESS_KEY"},
		},
		{
			name:     "another S3 server, and a token in one",
			settings: map[string]string{"R2_ENDPOINT": "http://localhost:9000", "R2_CREDENTIALS": "id:secret"},
			want:     []string{"R2_BUCKET"},
		},
		{name: "lanes with nothing real", settings: map[string]string{"LANES": `[{"name":"a"}]`}},
		{
			name:     "lanes with a real queue",
			settings: map[string]string{"LANES": `[{"name":"a","queue":"projects/p/locations/l/queues/q"}]`},
			want:     []string{"TASKS_SERVICE_ACCOUNT", "WORKER_URL"},
		},
		{name: "lanes that cannot be read", settings: map[string]string{"LANES": `[`}, want: []string{"LANES"}},
		{
			name:     "a real queue needs a way to the worker",
			settings: map[string]string{"CLOUD_TASKS_QUEUE": "projects/p/locations/l/queues/q"},
			want:     []string{"TASKS_SERVICE_ACCOUNT", "WORKER_URL"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.LoadDev(getenv(tt.settings))
			if diff := cmp.Diff(tt.want, faulty(t, err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// Every secret of these settings contains the word hunter2.
func TestSecretsAreNeverShown(t *testing.T) {
	cfg, err := config.Load(getenv(production()))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("settings", "config", cfg, "key", cfg.Gemini.APIKey)
	bad := make(map[string]string)
	for _, s := range config.Settings() {
		bad[s.Name] = "hunter2 is no value"
	}
	_, faults := config.Load(getenv(bad))
	for name, text := range map[string]string{
		"%v": fmt.Sprintf("%v", cfg), "%+v": fmt.Sprintf("%+v", cfg), "%#v": fmt.Sprintf("%#v", cfg),
		"json": string(doc), "log": log.String(), "faults": faults.Error(),
	} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("%s shows a secret: %s", name, text)
		}
	}
}

func TestSecretsAreThoseOfTheSettings(t *testing.T) {
	settings := with(production(),
		"REDIS_URL", "redis://localhost/?password=p%40ss", "R2_CREDENTIALS", "id:secret", "KEY_B", "hunter2b",
		"LANES", `[{"name":"a","api_key":"hunter2a"},{"name":"b","api_key_env":"KEY_B"}]`)
	hidden := config.Secrets(getenv(settings))
	for _, want := range []string{
		settings["DATABASE_URL"], "hunter2", // its password
		"p@ss", "AIzahunter2", "key-id", "secret", "hunter2hunter2hunter2", "hunter2hunter2hunter3", "hunter2a", "hunter2b",
	} {
		if !slices.Contains(hidden, want) {
			t.Errorf("%s is not hidden", want)
		}
	}
	for _, shown := range []string{settings["WORKER_URL"], settings["R2_BUCKET"], "db.example.com", "web"} {
		if slices.Contains(hidden, shown) {
			t.Errorf("%s is hidden", shown)
		}
	}
}

func TestLanesReplaceThePlainSettings(t *testing.T) {
	settings := with(production(), "KEY_B", "hunter2b", "LANES", `[
		{"name":"a","queue":"projects/p/locations/l/queues/a","api_key":"hunter2a","billing_account":"x","project":"p1"},
		{"name":"b","model":"gemini-3-pro-image","rpm":10,"concurrency":2,"queue":"projects/p/locations/l/queues/b","api_key_env":"KEY_B","project":"p2",
		 "paused":true,"also_serves":["gemini-2-image"]}]`)
	delete(settings, "GEMINI_API_KEY")
	delete(settings, "CLOUD_TASKS_QUEUE")
	cfg, err := config.Load(getenv(settings))
	if err != nil {
		t.Fatal(err)
	}
	want := []config.KeyedLane{
		{
			Lane: lane.Lane{
				Name: "a", Model: "gemini-nano-banana-2.1", RPM: 60, Concurrency: 5,
				Queue: "projects/p/locations/l/queues/a", Account: "x",
			},
			APIKey: "hunter2a",
		},
		{
			Lane: lane.Lane{
				Name: "b", Model: "gemini-3-pro-image", RPM: 10, Concurrency: 2, Queue: "projects/p/locations/l/queues/b",
				Paused: true, AlsoServes: []string{"gemini-2-image"},
			},
			APIKey: "hunter2b",
		},
	}
	if diff := cmp.Diff(want, cfg.Lanes); diff != "" {
		t.Errorf("lanes (-want +got):\n%s", diff)
	}
	delete(settings, "KEY_B")
	_, err = config.Load(getenv(settings))
	if diff := cmp.Diff([]string{"KEY_B"}, faulty(t, err)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestModelsAreThoseOfTheLanesTheDefaultFirst(t *testing.T) {
	cfg, err := config.Load(getenv(with(production(), "LANES", `[
		{"name":"a","model":"gemini-3-pro-image","queue":"projects/p/locations/l/queues/a","api_key":"hunter2a"},
		{"name":"b","queue":"projects/p/locations/l/queues/b","api_key":"hunter2b"},
		{"name":"c","queue":"projects/p/locations/l/queues/c","api_key":"hunter2c"}]`)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"gemini-nano-banana-2.1", "gemini-3-pro-image"}, cfg.Models()); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
}

func FuzzLanes(f *testing.F) {
	f.Add(`[{"name":"a","queue":"projects/p/locations/l/queues/q","api_key":"hunter2"}]`)
	f.Add(`[{"name":1}]`)
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := config.Load(getenv(with(production(), "LANES", text)))
		if err != nil {
			return
		}
		for _, l := range cfg.Lanes {
			if l.Lane.RPM < 1 || l.Lane.Concurrency < 1 || l.Lane.Queue == "" || l.APIKey == "" || l.Lane.Model == "" {
				t.Errorf("let through: %+v", l)
			}
		}
	})
}

// Webhooks are signed, and wait on a queue. One without the other is a mistake,
// except in development, which has a queue.
func TestWebhooksNeedAQueue(t *testing.T) {
	const secret, queue = "whsec_hunter2", "projects/p/locations/europe-west1/queues/webhook-v1"
	cfg, err := config.Load(getenv(with(production(), "WEBHOOK_SECRET", secret, "WEBHOOK_QUEUE", queue)))
	if err != nil || cfg.WebhookSecret != secret || cfg.Tasks.WebhookQueue != queue {
		t.Errorf("%v, %v, %v", cfg.WebhookSecret, cfg.Tasks.WebhookQueue, err)
	}
	_, err = config.Load(getenv(with(production(), "WEBHOOK_SECRET", secret)))
	if diff := cmp.Diff([]string{"WEBHOOK_QUEUE"}, faulty(t, err)); diff != "" || !strings.Contains(err.Error(), "WEBHOOK_SECRET is set") {
		t.Errorf("without a queue: %v", err)
	}
	_, err = config.LoadDev(getenv(with(production(), "WEBHOOK_SECRET", secret)))
	if diff := cmp.Diff([]string{"WEBHOOK_QUEUE"}, faulty(t, err)); diff != "" {
		t.Errorf("in development, without a queue of the real Cloud Tasks: %v", err)
	}
	if _, err := config.LoadDev(getenv(map[string]string{"WEBHOOK_SECRET": secret})); err != nil {
		t.Errorf("in development: %v", err)
	}
	secrets := config.Secrets(getenv(with(production(), "WEBHOOK_SECRET", "whsec_a, whsec_b")))
	if !slices.Contains(secrets, "whsec_a") || !slices.Contains(secrets, "whsec_b") {
		t.Errorf("each of two secrets is to be hidden by itself: %v", secrets)
	}
}

// Who is told of budgets needs a queue, and a secret that receivers of jobs do not know.
func TestBudgetWebhookNeedsASecretOfItsOwn(t *testing.T) {
	const url, secret, queue = "https://example.com/hooks/", "whsec_hunter2", "projects/p/locations/europe-west1/queues/webhook-v1"
	cfg, err := config.Load(getenv(with(production(), "BUDGET_WEBHOOK", url, "BUDGET_WEBHOOK_SECRET", secret, "WEBHOOK_QUEUE", queue)))
	if err != nil || cfg.BudgetWebhook != url || cfg.BudgetWebhookSecret != secret {
		t.Errorf("%q, %v, %v", cfg.BudgetWebhook, cfg.BudgetWebhookSecret, err)
	}
	_, err = config.Load(getenv(with(production(), "BUDGET_WEBHOOK", url)))
	if diff := cmp.Diff([]string{"BUDGET_WEBHOOK_SECRET", "WEBHOOK_QUEUE"}, faulty(t, err)); diff != "" || !strings.Contains(err.Error(), "BUDGET_WEBHOOK is set") {
		t.Errorf("without a secret and a queue: %v", err)
	}
	_, err = config.Load(getenv(with(production(), "BUDGET_WEBHOOK", url, "BUDGET_WEBHOOK_SECRET", secret, "WEBHOOK_SECRET", secret, "WEBHOOK_QUEUE", queue)))
	if diff := cmp.Diff([]string{"BUDGET_WEBHOOK_SECRET"}, faulty(t, err)); diff != "" || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("with the secret of jobs' receivers: %v", err)
	}
}
