package config

import "slices"

// A Setting is the declaration of one environment variable. Everything follows
// from it: how the setting is read, the error when it is missing, the README's
// table, what doctor hides, and what the tests of the deployment ask for.
type Setting struct {
	Name string
	// Purpose says what to write there, in Markdown. It is in the README, and
	// in the error when the setting is missing.
	Purpose string
	Note    string  // more about the purpose, for the README only
	Secret  bool    // it is never shown, and deployed from Secret Manager only
	Service Service // the service that it belongs to; empty for this service's own

	RequiredBy Role   // the half that does not start without it, RoleAll for both; empty if neither needs it
	Or         string // another setting that may be there in its stead

	Default   string // the text that is read if the setting is absent
	Otherwise string // what holds if it is absent and has no default, in Markdown

	read kind
	// parts returns those parts of a secret that are used by themselves, and so
	// must be hidden by themselves. It is nil if there are none.
	parts func(text string) []string
}

// Required reports whether a process of a role does not start without s.
func (s Setting) Required(role Role) bool {
	switch s.RequiredBy {
	case "":
		return false
	case RoleAPI:
		return role.API()
	case RoleWorker:
		return role.Worker()
	default:
		return true
	}
}

// A Service is one that the settings lead to. Development embeds each service
// that has none of its required settings.
type Service string

const (
	ServicePostgres   Service = "Postgres"
	ServiceRedis      Service = "Redis"
	ServiceGemini     Service = "Gemini"
	ServiceR2         Service = "R2"
	ServiceCloudTasks Service = "Cloud Tasks"
)

// Settings returns the declarations of all settings, in the README's order.
func Settings() []Setting { return newReader(nil).settings() }

// settings returns all declarations. They read their settings into r.
func (r *reader) settings() []Setting {
	return slices.Concat(r.stores(), r.gemini(), r.r2(), r.cloudTasks(), r.callers(), r.dashboard(), r.own())
}

func (r *reader) stores() []Setting {
	c := &r.config
	return []Setting{
		{
			Name: "DATABASE_URL", Service: ServicePostgres, RequiredBy: RoleAll, Secret: true,
			Purpose: "the connection string of a Postgres database",
			Note:    "a transaction pooler will do for `serve`, `migrate` needs a direct connection",
			read:    address((*string)(&c.DatabaseURL), "postgres", "postgresql"), parts: passwords,
		},
		{
			Name: "REDIS_URL", Service: ServiceRedis, RequiredBy: RoleAll, Secret: true,
			Purpose: "the URL of a Redis server, such as Upstash's `rediss://` URL",
			read:    address((*string)(&c.RedisURL), "redis", "rediss"), parts: passwords,
		},
	}
}

func (r *reader) gemini() []Setting {
	c := &r.config
	return []Setting{
		{
			Name: "GEMINI_API_KEY", Service: ServiceGemini, RequiredBy: RoleWorker, Or: "LANES", Secret: true,
			Purpose: "a key of the Gemini API, from https://aistudio.google.com/apikey",
			read:    text((*string)(&c.Gemini.APIKey)),
		},
		{
			Name: "GEMINI_MODEL", Service: ServiceGemini, Default: "gemini-nano-banana-2.1",
			Purpose: "the model that draws; with several, the one for requests that name none",
			read:    text(&c.Gemini.Model),
		},
		{
			Name: "GEMINI_RPM", Service: ServiceGemini, Default: "60",
			Purpose: "requests a minute that the quota allows",
			read:    integer(&c.Gemini.RPM, 1, maxRPM),
		},
		{
			Name: "WORKER_CONCURRENCY", Service: ServiceGemini, Default: "5",
			Purpose: "requests in flight; at least RPM × (seconds per picture + 5) ÷ 60",
			read:    integer(&c.Gemini.Concurrency, 1, maxConcurrency),
		},
		{
			Name: "WORKER_MAX_INSTANCES", Service: ServiceGemini, Default: "1",
			Purpose: "how many workers there are at most; a single one goes on at the full rate while Redis is away",
			read:    integer(&c.Instances, 1, maxInstances),
		},
		{
			Name: "LANES", Service: ServiceGemini,
			Purpose: "several quotas instead of the plain settings, see below",
			read:    text(&r.lanes),
		},
		{
			Name: "GEMINI_BASE_URL", Service: ServiceGemini, Otherwise: "Google's",
			Purpose: "another server than Google's",
			read:    webAddress(&c.Gemini.BaseURL),
		},
	}
}

func (r *reader) r2() []Setting {
	c := &r.config.R2
	return []Setting{
		{
			Name: "R2_ACCOUNT_ID", Service: ServiceR2, RequiredBy: RoleAll, Or: "R2_ENDPOINT",
			Purpose: "the Cloudflare account's ID",
			read:    text(&r.account),
		},
		{
			Name: "R2_BUCKET", Service: ServiceR2, RequiredBy: RoleAll,
			Purpose: "the name of the bucket for pictures",
			read:    text(&c.Bucket),
		},
		{
			Name: "R2_ACCESS_KEY_ID", Service: ServiceR2, RequiredBy: RoleAll, Or: "R2_CREDENTIALS", Secret: true,
			Purpose: "the ID of an R2 API token that may read and write the bucket",
			read:    text(&c.AccessKeyID),
		},
		{
			Name: "R2_SECRET_ACCESS_KEY", Service: ServiceR2, RequiredBy: RoleAll, Or: "R2_CREDENTIALS", Secret: true,
			Purpose: "the secret of that R2 API token",
			read:    text((*string)(&c.SecretAccessKey)),
		},
		{
			// The two halves of a token are of no use apart. In one secret,
			// they are replaced together.
			Name: "R2_CREDENTIALS", Service: ServiceR2, Secret: true,
			Purpose: "both halves of that token in one, as `ID:SECRET`",
			read:    credentials(&c.AccessKeyID, &c.SecretAccessKey), parts: halves,
		},
		{
			Name: "R2_ENDPOINT", Service: ServiceR2, Otherwise: "R2's, from the account",
			Purpose: "another S3 server",
			read:    webAddress(&c.Endpoint),
		},
		{
			Name: "R2_PUBLIC_URL", Service: ServiceR2, Otherwise: "presigned URLs, good for 7 days",
			Purpose: "the bucket's public address",
			read:    webAddress(&c.PublicURL),
		},
	}
}

func (r *reader) cloudTasks() []Setting {
	c := &r.config.Tasks
	return []Setting{
		{
			Name: "CLOUD_TASKS_QUEUE", Service: ServiceCloudTasks, RequiredBy: RoleAll, Or: "LANES",
			Purpose: "the queue's full name, `projects/PROJECT/locations/REGION/queues/QUEUE`",
			read:    queue(&c.Queue),
		},
		{
			Name: "WORKER_URL", Service: ServiceCloudTasks, RequiredBy: RoleAll,
			Purpose: "the worker's address, where Cloud Tasks delivers",
			read:    webAddress(&c.WorkerURL),
		},
		{
			Name: "TASKS_SERVICE_ACCOUNT", Service: ServiceCloudTasks, RequiredBy: RoleAll,
			Purpose: "the email of the service account that Cloud Tasks delivers as",
			read:    text(&c.ServiceAccount),
		},
		{
			Name: "TASKS_AUDIENCE", Service: ServiceCloudTasks, Otherwise: "`WORKER_URL`",
			Purpose: "the audience of the deliveries' tokens",
			read:    text(&c.Audience),
		},
		{
			Name: "TASKS_SIGNATURE_CHECKED_BY", Service: ServiceCloudTasks, Default: "worker",
			Purpose: "`cloud-run` for a worker that is private on Cloud Run, which hands tokens on without their signature",
			read:    oneOf(&r.checkedBy, "worker", checkedByCloudRun),
		},
		{
			Name: "SWEEP_QUEUE", Service: ServiceCloudTasks,
			Purpose: "the full name of a queue by which the service has itself swept while there is work",
			Note:    "without it, only `POST /tasks/sweep` by Cloud Scheduler looks for what a crash lost",
			read:    queue(&c.SweepQueue),
		},
		{
			Name: "WEBHOOK_QUEUE", Service: ServiceCloudTasks,
			Purpose: "the full name of the queue that webhooks wait on",
			Note:    "needed with `WEBHOOK_SECRET` and with `BUDGET_WEBHOOK`",
			read:    queue(&c.WebhookQueue),
		},
		{
			Name: "CLOUD_TASKS_ENDPOINT", Service: ServiceCloudTasks, Otherwise: "Google's",
			Purpose: "`HOST:PORT` of an emulator, without TLS",
			read:    text(&c.Endpoint),
		},
		{
			Name: "TASKS_JWKS_URL", Service: ServiceCloudTasks, Otherwise: "Google's",
			Purpose: "with an emulator, where the keys of its tokens are",
			read:    webAddress(&c.JWKSURL),
		},
	}
}

// callers returns the settings of those who use the API.
func (r *reader) callers() []Setting {
	c := &r.config
	return []Setting{
		{
			Name: "API_KEYS", RequiredBy: RoleAPI, Secret: true,
			Purpose: "who may use the API, as `name:key,name:key:2`",
			Note: "the name is the tenant, who sees its own jobs only; the number is its share of turns, 1 unless given; " +
				"without any, everybody may use `make dev`",
			read: apiKeys(&c.APIKeys), parts: keysOf,
		},
		r.tenantsSetting(),
		r.budgetSetting(),
		{
			Name: "CORS_ORIGINS", Otherwise: "none",
			Purpose: "origins whose pages may read jobs with a browser token, as `https://app.example.com,http://localhost:3000`",
			read:    origins(&c.Origins),
		},
		{
			Name: "WEBHOOK_SECRET", Secret: true, Otherwise: "requests with `webhook` are refused",
			Purpose: "what signs [webhooks](docs/webhooks.md#the-secret-and-how-to-replace-it): `whsec_` and 24 to 64 bytes in base64",
			Note:    "two with a comma between while one is replaced; `make dev` makes one",
			read:    text((*string)(&c.WebhookSecret)), parts: listed,
		},
		{
			Name: "BUDGET_WEBHOOK", Otherwise: "nobody is told",
			Purpose: "an `https` address that is [told](docs/webhooks.md#budgets) when a budget is used to 50, 80 or 100 %",
			Note:    "needs `BUDGET_WEBHOOK_SECRET` and `WEBHOOK_QUEUE`; give it to all services, or to none",
			read:    text(&c.BudgetWebhook),
		},
		{
			Name: "BUDGET_WEBHOOK_SECRET", Secret: true,
			Purpose: "what signs that, as `WEBHOOK_SECRET`, and another than that: receivers of jobs know that one",
			Note:    "needed with `BUDGET_WEBHOOK`",
			read:    text((*string)(&c.BudgetWebhookSecret)), parts: listed,
		},
	}
}

// own returns the settings of the service itself.
func (r *reader) own() []Setting {
	c := &r.config
	return []Setting{
		{
			Name: "ROLE", Default: string(RoleAll),
			Purpose: "`api`, `worker`, `dashboard` or `all`",
			read:    oneOf((*string)(&c.Role), string(RoleAll), string(RoleAPI), string(RoleWorker), string(RoleDashboard)),
		},
		{
			Name: "PORT", Default: "8080",
			Purpose: "where to listen",
			read:    integer(&c.Port, 0, maxPort),
		},
		{
			Name: "PUBLIC_URL", Otherwise: "`WORKER_URL`",
			Purpose: "where callers reach the API, for the links in a job",
			read:    webAddress(&c.PublicURL),
		},
		{
			Name: "MAX_WAITING_PICTURES", Default: "10000",
			Purpose: "how many pictures of one API key may wait at once; what goes beyond is answered 429",
			read:    integer(&c.MaxWaiting, leastWaiting, mostWaiting),
		},
		{
			Name: "RETENTION_DAYS", Default: "0",
			Purpose: "ended jobs are removed after that, with their pictures, and so is what the bucket has of no job; 0 keeps all",
			read:    days(&c.Retention, maxRetention),
		},
		{
			Name: "LOG_LEVEL", Default: "info",
			Purpose: "`debug`, `info`, `warn`, `error`",
			read:    logLevel(&c.LogLevel),
		},
		{
			Name: "DEV_HOST", Default: "localhost",
			Purpose: "where `make dev` listens; `0.0.0.0` for another machine to reach it",
			read:    text(&c.Dev.Host),
		},
		{
			Name: "CLOUD_TASKS_EMULATOR_PORT", Otherwise: "8123, or another if that is taken",
			Purpose: "the port of the Cloud Tasks that `make dev` embeds",
			read:    port(&c.Dev.EmulatorPort),
		},
	}
}
