// Package config is every setting of the service on one page. It reads them
// from the environment, reports all that is wrong with them at once, and never
// shows a secret. Only commands import it: they hand each package what that
// package needs.
package config

import (
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Role says which half of the service a process is.
type Role string

const (
	RoleAll    Role = "all"    // both, on one port
	RoleAPI    Role = "api"    // what callers use
	RoleWorker Role = "worker" // what Cloud Tasks uses
)

// API reports whether r serves callers.
func (r Role) API() bool { return r != RoleWorker }

// Worker reports whether r serves Cloud Tasks.
func (r Role) Worker() bool { return r != RoleAPI }

// Config is every setting. An empty field is a setting that is absent.
type Config struct {
	Port     int  // PORT
	Role     Role // ROLE
	LogLevel slog.Level

	DatabaseURL Secret // DATABASE_URL
	RedisURL    Secret // REDIS_URL

	Gemini Gemini
	R2     R2
	Tasks  Tasks

	Lanes     []KeyedLane   // LANES, or the one of the plain settings
	Instances int           // WORKER_MAX_INSTANCES: how many workers there are at most
	Retention time.Duration // RETENTION_DAYS: ended jobs are removed after that; 0 keeps them
	APIKeys   []APIKey      // API_KEYS
	PublicURL string        // PUBLIC_URL: where callers reach the API; WORKER_URL unless set
}

// Gemini is the plain settings: the one lane there is without LANES, and what
// its entries leave out.
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
	WorkerURL      string // WORKER_URL: where Cloud Tasks reaches the worker
	ServiceAccount string // TASKS_SERVICE_ACCOUNT: email of the account that deliveries are made as
	Audience       string // TASKS_AUDIENCE: of the deliveries' tokens; WORKER_URL unless set
	Endpoint       string // CLOUD_TASKS_ENDPOINT: host:port of an emulator, without TLS
	JWKSURL        string // TASKS_JWKS_URL: with an emulator, where the keys of its tokens are
	BehindCloudRun bool   // TASKS_SIGNATURE_CHECKED_BY=cloud-run: the worker is private
}

// An APIKey lets one tenant use the API.
type APIKey struct {
	Tenant string
	Key    Secret
	Weight float64 // the tenant's share of turns, against 1
}

const (
	defaultPort        = 8080
	defaultModel       = "gemini-nano-banana-2.1"
	defaultRPM         = 60
	maxRPM             = 30_000 // a queue dispatches at most 500 a second
	defaultConcurrency = 5
	maxConcurrency     = 5000 // of one queue
	maxInstances       = 1000
	maxRetention       = 3650 // days
)

// queueName is a queue's full name, see
// https://cloud.google.com/tasks/docs/reference/rpc/google.cloud.tasks.v2#queue.
var queueName = regexp.MustCompile(`^projects/[a-z0-9.:-]+/locations/[a-z0-9-]+/queues/[A-Za-z0-9-]{1,100}$`)

// Load reads every setting and reports all that are missing or bad, as Faults.
func Load(getenv func(string) string) (Config, error) {
	r := &reader{getenv: getenv}
	c := r.config()
	c.requireAll(r)
	return c, r.err()
}

// LoadDev is Load for a process that has a substitute for every service. A
// service none of whose settings is present is left to its substitute; one
// that has some must have all.
func LoadDev(getenv func(string) string) (Config, error) {
	r := &reader{getenv: getenv, embeds: true}
	c := r.config()
	c.requireWhole(r)
	return c, r.err()
}

// config reads what is there, and notes what is malformed.
func (r *reader) config() Config {
	c := Config{
		Port:        r.integer("PORT", defaultPort, 0, 65535),
		Role:        Role(r.oneOf("ROLE", string(RoleAll), string(RoleAPI), string(RoleWorker))),
		LogLevel:    r.logLevel("LOG_LEVEL"),
		DatabaseURL: Secret(r.address("DATABASE_URL", "postgres", "postgresql")),
		RedisURL:    Secret(r.address("REDIS_URL", "redis", "rediss")),
		Gemini: Gemini{
			APIKey:      Secret(r.text("GEMINI_API_KEY")),
			Model:       r.textOr("GEMINI_MODEL", defaultModel),
			BaseURL:     r.address("GEMINI_BASE_URL", "https", "http"),
			RPM:         r.integer("GEMINI_RPM", defaultRPM, 1, maxRPM),
			Concurrency: r.integer("WORKER_CONCURRENCY", defaultConcurrency, 1, maxConcurrency),
		},
		R2:      r.r2(),
		Tasks:   r.tasks(),
		APIKeys: r.apiKeys("API_KEYS"),
	}
	if c.Tasks.BehindCloudRun && c.Role == RoleAll {
		r.fault("TASKS_SIGNATURE_CHECKED_BY", "is cloud-run, which is for a private worker, and callers of the API need a public one: "+
			"set ROLE=worker, or remove this")
	}
	c.PublicURL = r.addressOr("PUBLIC_URL", c.Tasks.WorkerURL)
	c.Lanes = r.lanes(c.Role, c.Gemini, c.Tasks.Queue)
	c.Instances = r.integer("WORKER_MAX_INSTANCES", 1, 1, maxInstances)
	c.Retention = time.Duration(r.integer("RETENTION_DAYS", 0, 0, maxRetention)) * 24 * time.Hour
	if r.text("LANES") != "" && len(c.Lanes) > 0 {
		// What the lanes bring need not be there a second time.
		c.Tasks.Queue = orDefault(c.Tasks.Queue, c.Lanes[0].Lane.Queue)
		c.Gemini.APIKey = orDefault(c.Gemini.APIKey, c.Lanes[0].APIKey)
	}
	return c
}

func (r *reader) r2() R2 {
	c := R2{
		AccessKeyID:     r.text("R2_ACCESS_KEY_ID"),
		SecretAccessKey: Secret(r.text("R2_SECRET_ACCESS_KEY")),
		Bucket:          r.text("R2_BUCKET"),
		Endpoint:        r.address("R2_ENDPOINT", "https", "http"),
		PublicURL:       r.address("R2_PUBLIC_URL", "https", "http"),
	}
	if account := r.text("R2_ACCOUNT_ID"); c.Endpoint == "" && account != "" {
		c.Endpoint = "https://" + account + ".r2.cloudflarestorage.com"
	}
	r.credentials(&c)
	return c
}

// credentials reads R2_CREDENTIALS, ID:SECRET. A token's two halves are of no
// use apart: kept as one secret, they are replaced together.
func (r *reader) credentials(c *R2) {
	text := r.text("R2_CREDENTIALS")
	if text == "" {
		return
	}
	id, secret, _ := strings.Cut(text, ":")
	switch {
	case id == "" || secret == "":
		r.fault("R2_CREDENTIALS", "must be ACCESS_KEY_ID:SECRET_ACCESS_KEY of an R2 API token")
	case c.AccessKeyID != "" || c.SecretAccessKey != "":
		r.fault("R2_CREDENTIALS", "is set, and R2_ACCESS_KEY_ID or R2_SECRET_ACCESS_KEY too: remove those, or this")
	}
	const faulty = "-" // is not also missing
	c.AccessKeyID, c.SecretAccessKey = orDefault(id, faulty), Secret(orDefault(secret, faulty))
}

func (r *reader) tasks() Tasks {
	c := Tasks{
		Queue:          r.queue("CLOUD_TASKS_QUEUE"),
		SweepQueue:     r.queue("SWEEP_QUEUE"),
		WorkerURL:      r.address("WORKER_URL", "https", "http"),
		ServiceAccount: r.text("TASKS_SERVICE_ACCOUNT"),
		Endpoint:       r.text("CLOUD_TASKS_ENDPOINT"),
		JWKSURL:        r.address("TASKS_JWKS_URL", "https", "http"),
	}
	c.Audience = r.textOr("TASKS_AUDIENCE", c.WorkerURL)
	c.BehindCloudRun = r.oneOf("TASKS_SIGNATURE_CHECKED_BY", "worker", "cloud-run") == "cloud-run"
	if c.JWKSURL != "" && c.Endpoint == "" {
		r.fault("TASKS_JWKS_URL", "is for an emulator: it would let another than Google sign deliveries. "+
			"Remove it, or set CLOUD_TASKS_ENDPOINT")
	}
	return c
}

// queue is a queue's full name.
func (r *reader) queue(name string) string {
	value := r.text(name)
	if value != "" && !queueName.MatchString(value) {
		r.fault(name, "is not a queue's full name: write projects/PROJECT/locations/REGION/queues/QUEUE")
	}
	return value
}

// A group is the settings of one service by name, each with its value.
type group map[string]string

// groups are the services whose settings are required, or embedded in
// development.
func (c Config) groups() []group {
	groups := []group{
		{"DATABASE_URL": string(c.DatabaseURL)},
		{"REDIS_URL": string(c.RedisURL)},
		{
			"R2_ACCOUNT_ID": c.R2.Endpoint, "R2_BUCKET": c.R2.Bucket,
			"R2_ACCESS_KEY_ID": c.R2.AccessKeyID, "R2_SECRET_ACCESS_KEY": string(c.R2.SecretAccessKey),
		},
		{
			"CLOUD_TASKS_QUEUE": c.Tasks.Queue, "WORKER_URL": c.Tasks.WorkerURL,
			"TASKS_SERVICE_ACCOUNT": c.Tasks.ServiceAccount,
		},
	}
	if c.Role.Worker() {
		groups = append(groups, group{"GEMINI_API_KEY": string(c.Gemini.APIKey)})
	}
	if c.Role.API() {
		keys := ""
		if len(c.APIKeys) > 0 {
			keys = "set"
		}
		groups = append(groups, group{"API_KEYS": keys})
	}
	return groups
}

// requireAll notes every required setting that is absent.
func (c Config) requireAll(r *reader) {
	for _, g := range c.groups() {
		for name, value := range g {
			if value == "" {
				r.fault(name, "is missing: "+purposes()[name])
			}
		}
	}
}

// requireWhole notes what is absent of services that have some settings.
func (c Config) requireWhole(r *reader) {
	for _, g := range c.groups() {
		var absent []string
		present := ""
		for name, value := range g {
			switch {
			case value == "":
				absent = append(absent, name)
			case present == "" || name < present:
				present = name
			}
		}
		if present == "" {
			continue
		}
		for _, name := range absent {
			r.fault(name, fmt.Sprintf("is missing, and %s is set: %s", present, purposes()[name]))
		}
	}
}

// purposes says of each required setting what to write there.
func purposes() map[string]string {
	return map[string]string{
		"DATABASE_URL":          "the connection string of a Postgres database",
		"REDIS_URL":             "the URL of a Redis server, such as Upstash's rediss:// URL",
		"GEMINI_API_KEY":        "a key from https://aistudio.google.com/apikey",
		"R2_ACCOUNT_ID":         "the Cloudflare account's ID (or R2_ENDPOINT, for another S3 server)",
		"R2_BUCKET":             "the name of the bucket for pictures",
		"R2_ACCESS_KEY_ID":      "the ID of an R2 API token that may read and write the bucket",
		"R2_SECRET_ACCESS_KEY":  "the secret of that R2 API token",
		"CLOUD_TASKS_QUEUE":     "the queue's full name, projects/PROJECT/locations/REGION/queues/QUEUE",
		"WORKER_URL":            "the worker's address, where Cloud Tasks delivers",
		"TASKS_SERVICE_ACCOUNT": "the email of the service account that Cloud Tasks delivers as",
		"API_KEYS":              "who may use the API, as name:key,name:key",
	}
}

// Models are the names of the models that callers may ask for, the default one
// first.
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
