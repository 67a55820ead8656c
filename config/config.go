// Package config declares every setting of the service, each once. It reads
// them from the environment, reports everything that is wrong with them at
// once, and never shows a secret. Only commands import it: they hand each
// package what that package needs.
//
// A new setting is an entry in settings.go and a field of Config to hold it;
// `make settings` brings the README up to date.
package config

import (
	"log/slog"
	"slices"
	"time"

	"github.com/ai-worker/ai-worker/job"
)

// Role says which part of the service a process is.
type Role string

const (
	RoleAll       Role = "all"       // all, on one port
	RoleAPI       Role = "api"       // what callers use
	RoleWorker    Role = "worker"    // what Cloud Tasks uses
	RoleDashboard Role = "dashboard" // what operators use
)

// API reports whether r serves callers.
func (r Role) API() bool { return r == RoleAll || r == RoleAPI }

// Worker reports whether r serves Cloud Tasks.
func (r Role) Worker() bool { return r == RoleAll || r == RoleWorker }

// Dashboard reports whether r serves operators, if the dashboard is enabled.
func (r Role) Dashboard() bool { return r == RoleAll || r == RoleDashboard }

// Config holds the values of the settings. An empty field is a setting that is
// absent.
type Config struct {
	Port     int        // PORT
	Role     Role       // ROLE
	LogLevel slog.Level // LOG_LEVEL

	DatabaseURL Secret // DATABASE_URL
	RedisURL    Secret // REDIS_URL

	Gemini Gemini
	R2     R2
	Tasks  Tasks

	Lanes      []KeyedLane   // LANES, or the one of the plain settings
	Instances  int           // WORKER_MAX_INSTANCES: how many workers there are at most
	Retention  time.Duration // RETENTION_DAYS: ended jobs are removed after that; 0 keeps them
	APIKeys    []APIKey      // API_KEYS
	MaxWaiting int           // MAX_WAITING_PICTURES: of one API key
	Budgets    job.Budgets   // BUDGET, and those of TENANTS
	Origins    []string      // CORS_ORIGINS: of pages that may read jobs, as browsers write them
	PublicURL  string        // PUBLIC_URL: where callers reach the API; WORKER_URL unless set

	WebhookSecret Secret // WEBHOOK_SECRET: what signs webhooks; none are sent without it

	BudgetWebhook       string // BUDGET_WEBHOOK: who is told of budgets
	BudgetWebhookSecret Secret // BUDGET_WEBHOOK_SECRET: what signs that

	Dashboard Dashboard

	Dev Dev
}

// Gemini is the plain settings. Without LANES they are the one lane. With LANES
// they are the defaults of its entries.
type Gemini struct {
	APIKey      Secret // GEMINI_API_KEY
	Model       string // GEMINI_MODEL
	BaseURL     string // GEMINI_BASE_URL: another server than Google's
	RPM         int    // GEMINI_RPM: requests a minute
	Concurrency int    // WORKER_CONCURRENCY: requests in flight
}

// R2 is where pictures are stored.
type R2 struct {
	AccessKeyID     string // R2_ACCESS_KEY_ID, or the first part of R2_CREDENTIALS
	SecretAccessKey Secret // R2_SECRET_ACCESS_KEY, or the second part
	Bucket          string // R2_BUCKET
	Endpoint        string // R2_ENDPOINT: follows from R2_ACCOUNT_ID unless set
	PublicURL       string // R2_PUBLIC_URL: the bucket's public address; presigned URLs unless set
}

// Tasks is the queue and how its deliveries prove where they come from.
type Tasks struct {
	Queue          string // CLOUD_TASKS_QUEUE: full name
	SweepQueue     string // SWEEP_QUEUE: full name of the queue that sweeps wait on
	WebhookQueue   string // WEBHOOK_QUEUE: full name of the queue that webhooks wait on
	WorkerURL      string // WORKER_URL: where Cloud Tasks reaches the worker
	ServiceAccount string // TASKS_SERVICE_ACCOUNT: email of the account that deliveries are made as
	Audience       string // TASKS_AUDIENCE: of the deliveries' tokens; WORKER_URL unless set
	Endpoint       string // CLOUD_TASKS_ENDPOINT: host:port of an emulator, without TLS
	JWKSURL        string // TASKS_JWKS_URL: with an emulator, where the keys of its tokens are
	BehindCloudRun bool   // TASKS_SIGNATURE_CHECKED_BY=cloud-run: the worker is private
}

// Dev is what only development uses.
type Dev struct {
	Host         string // DEV_HOST: where to listen
	EmulatorPort string // CLOUD_TASKS_EMULATOR_PORT: of the embedded Cloud Tasks; empty lets it choose
	Loopback     bool   // receivers of webhooks may be on this machine; no setting, set by cmd/dev
	Developer    bool   // who comes from this machine needs no login to the dashboard; likewise
}

// Load reads every setting. It fails with Faults, which list every setting that
// is missing or bad.
func Load(getenv func(string) string) (Config, error) {
	r := newReader(getenv)
	r.read()
	r.requireAll()
	return r.config, r.err()
}

// LoadDev does what Load does, for a process that has a substitute for every
// service. A service with no settings gets its substitute. A service with some
// settings must have all of them.
func LoadDev(getenv func(string) string) (Config, error) {
	r := newReader(getenv)
	r.embeds = true
	r.read()
	r.requireWhole()
	return r.config, r.err()
}

// Secrets returns every text that must never be shown, whatever repeats it: the
// settings that are declared secret, those parts of them that are used by
// themselves, and the keys of all lanes.
func Secrets(getenv func(string) string) []string {
	r := newReader(getenv)
	r.read()
	return r.secrets
}

// Models returns the names of the models that callers may ask for, the default
// one first.
func (c Config) Models() []string {
	var names []string
	for _, l := range c.Lanes {
		if !slices.Contains(names, l.Lane.Model) {
			names = append(names, l.Lane.Model)
		}
	}
	if i := slices.Index(names, c.Gemini.Model); i > 0 {
		names[0], names[i] = names[i], names[0]
	}
	return names
}
