variable "project" {
  description = "ID of the Google Cloud project that everything is made in."
  type        = string
}

variable "region" {
  description = "Region of the services, the queues and the images."
  type        = string
  default     = "europe-west1"
  nullable    = false
}

variable "name" {
  description = <<-EOT
    Begins the name of everything, so that two services, such as staging and production, fit into one project. Each has a
    state of its own: see the prefix in versions.tf. One that was applied cannot be renamed.
  EOT
  type        = string
  default     = "ai-worker"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 21 lower-case letters, digits and -, beginning with a letter: names of service accounts have 30 at most."
  }
}

variable "image" {
  description = <<-EOT
    The image to run, by digest: REGION-docker.pkg.dev/PROJECT/REPOSITORY/ai-worker@sha256:….
    Leave it out where Cloud Build deploys: then it is the one that Cloud Build deployed last, which has the tag `live`.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.image == null ? true : can(regex("^[^@]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must end in @sha256: and a digest. A tag can be moved, and then nobody knows what runs. `gcloud artifacts docker images describe IMAGE:TAG` tells its digest."
  }
}

variable "repository" {
  description = "Artifact Registry repository that bootstrap made; where the image tagged `live` is looked up. It has the service's name, unless given."
  type        = string
  default     = null
}

# ---- Quotas ----------------------------------------------------------------

variable "lanes" {
  description = <<-EOT
    One entry per quota of Gemini's, which belongs to a project and a model. Each has a queue and a key of its own.
      rpm              requests a minute that the quota allows
      concurrency      requests in flight; at least rpm × (seconds_per_picture + 5) ÷ 60
      model            `model` unless given
      project          project that the key belongs to; must be given if there are several lanes
      billing_account  that the project belongs to: lanes of one share its spend cap
      also_serves      older names of models that the lane answers for: what was asked for under them is drawn by `model`
      paused           stops the lane and its queue; what waits moves to lanes that serve the same model, or waits
      queue_version    raise it to get a new queue, such as when the old one was deleted by hand:
                       its name cannot be used again for days
  EOT
  type = map(object({
    rpm             = number
    concurrency     = number
    model           = optional(string)
    project         = optional(string)
    billing_account = optional(string)
    also_serves     = optional(list(string), [])
    paused          = optional(bool, false)
    queue_version   = optional(number, 1)
  }))
  default = {
    default = { rpm = 60, concurrency = 25 }
  }
  nullable = false

  validation {
    condition     = length(var.lanes) > 0
    error_message = "lanes must have at least one entry: without a quota no picture can be drawn."
  }
  validation {
    condition     = alltrue([for name in keys(var.lanes) : can(regex("^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", name))])
    error_message = "lanes: a name must be 1 to 40 lower-case letters, digits and -."
  }
  validation {
    condition     = alltrue([for l in values(var.lanes) : l.rpm >= 1 && l.rpm <= 30000 && floor(l.rpm) == l.rpm])
    error_message = "lanes: rpm must be a whole number from 1 to 30000: a queue dispatches at most 500 a second. To stop a lane, set paused = true."
  }
  validation {
    condition     = alltrue([for l in values(var.lanes) : l.concurrency >= 1 && l.concurrency <= 5000 && floor(l.concurrency) == l.concurrency])
    error_message = "lanes: concurrency must be a whole number from 1 to 5000, which is what a queue allows."
  }
  validation {
    condition     = alltrue([for l in values(var.lanes) : l.concurrency >= ceil(l.rpm * (var.seconds_per_picture + 5) / 60)])
    error_message = "lanes: concurrency is too small to use the quota. It must be at least rpm × (seconds_per_picture + 5) ÷ 60, 5 s being for what a delivery does besides: ${join(", ", [for name, l in var.lanes : "${name} needs ${ceil(l.rpm * (var.seconds_per_picture + 5) / 60)}" if l.concurrency < ceil(l.rpm * (var.seconds_per_picture + 5) / 60)])}."
  }
  validation {
    condition     = alltrue([for l in values(var.lanes) : !contains(l.also_serves, coalesce(l.model, var.model)) && !contains(l.also_serves, "")])
    error_message = "lanes: also_serves must hold names of other models than the lane's own."
  }
  validation {
    condition     = alltrue([for l in values(var.lanes) : l.queue_version >= 1 && floor(l.queue_version) == l.queue_version])
    error_message = "lanes: queue_version must be a whole number from 1."
  }
  validation {
    condition     = alltrue([for name, l in var.lanes : length("${var.name}-${name}-v${l.queue_version}") <= 63])
    error_message = "lanes: the name of a queue, NAME-LANE-vVERSION, is longer than 63 characters. Shorten the lane's name."
  }
  validation {
    condition     = length(var.lanes) == 1 || alltrue([for l in values(var.lanes) : l.project != null])
    error_message = "lanes: with several lanes, each must name the project of its key, so that two of one quota are noticed."
  }
  validation {
    condition = length(var.lanes) == 1 || length(distinct([
      for l in values(var.lanes) : "${coalesce(l.project, "-")} ${coalesce(l.model, var.model)}"
    ])) == length(var.lanes)
    error_message = "lanes: two lanes have the same project and model. Gemini's quota belongs to the project: a second key of it adds none. Use a key of another project, or raise rpm."
  }
}

variable "model" {
  description = "Model of lanes that name none, and of requests that name none."
  type        = string
  default     = "gemini-nano-banana-2.1"
  nullable    = false
}

variable "seconds_per_picture" {
  description = "How long Gemini takes for a picture, as a rule. `ai-worker doctor` shows what was measured."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.seconds_per_picture > 0 && var.seconds_per_picture <= 300
    error_message = "seconds_per_picture must be above 0, and at most 300, after which a request is given up."
  }
}

# ---- Secrets ---------------------------------------------------------------

variable "secrets_file" {
  description = <<-EOT
    Path of a JSON file with values of secrets, which only you can read. None of them gets into the state or a plan:
    database-url, redis-url, r2-credentials (ID:SECRET), api-keys, gemini-api-key-LANE for each lane,
    migrate-database-url if migrate_database_url is set, webhook-secret if webhooks is, budget-webhook-secret if
    budget_webhook is, dashboard-users for a dashboard with passwords; and salt, 32 random characters or more that stay as
    they are (openssl rand -hex 32).
    A value that differs from the one before becomes a new version, and takes effect with the apply. What the file
    does not name stays as it is, so that later applies need no file.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.secrets_file == null ? true : can({ for name, value in jsondecode(file(var.secrets_file)) : name => tostring(value) })
    error_message = "secrets_file must be the path of a JSON file, an object of texts. A path that does not begin with / is looked for in the folder of this configuration."
  }
}

variable "existing_secrets" {
  description = <<-EOT
    Secrets of this project that are there already, by the name that they have in secrets_file: { redis-url = "redis-url",
    gemini-api-key-default = "gemini-api-key" }. They get no value here; the services may read them. A new version of
    one takes effect with the next apply.
  EOT
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = length(setsubtract(keys(var.existing_secrets), concat(
      ["database-url", "migrate-database-url", "redis-url", "r2-credentials", "api-keys", "webhook-secret", "budget-webhook-secret", "dashboard-users"],
      [for lane in keys(var.lanes) : "gemini-api-key-${lane}"],
    ))) == 0
    error_message = "existing_secrets: there is a name that nothing reads. They are database-url, migrate-database-url, redis-url, r2-credentials, api-keys, webhook-secret, budget-webhook-secret, dashboard-users, and gemini-api-key-LANE for each of lanes."
  }
  validation {
    condition     = alltrue([for id in values(var.existing_secrets) : can(regex("^[A-Za-z0-9_-]{1,255}$", id))])
    error_message = "existing_secrets: a value must be the name of a secret of this project, without its path and version."
  }
}

variable "old_secrets_days" {
  description = "A value that was replaced is destroyed after so many days. Until then it can be enabled again."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.old_secrets_days >= 1 && var.old_secrets_days <= 1000 && floor(var.old_secrets_days) == var.old_secrets_days
    error_message = "old_secrets_days must be a whole number from 1 to 1000."
  }
}

variable "migrate_database_url" {
  description = "Whether migrations have a connection string of their own: needed where database-url goes through a transaction pooler."
  type        = bool
  default     = false
  nullable    = false
}

# ---- Pictures --------------------------------------------------------------

variable "r2" {
  description = "Where pictures go. r2/ makes the bucket and tells these values. Without public_url, callers get presigned URLs that last 7 days."
  type = object({
    account_id = string
    bucket     = string
    public_url = optional(string)
  })

  validation {
    condition     = can(regex("^[0-9a-f]{32}$", var.r2.account_id))
    error_message = "r2: account_id must be the 32 hexadecimal digits that Cloudflare's dashboard shows."
  }
  validation {
    condition     = var.r2.public_url == null ? true : can(regex("^https://[^/]+$", var.r2.public_url))
    error_message = "r2: public_url must be https:// and a host name, without a path."
  }
}

variable "retention_days" {
  description = "Jobs that ended so many days ago are removed, with their pictures, and so is what the bucket has of no job. 0 keeps all."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.retention_days >= 0 && var.retention_days <= 3650 && floor(var.retention_days) == var.retention_days
    error_message = "retention_days must be a whole number from 0 to 3650."
  }
}

variable "max_waiting_pictures" {
  description = "How many pictures of one API key may wait at once. What goes beyond is answered 429."
  type        = number
  default     = 10000
  nullable    = false

  validation {
    condition     = var.max_waiting_pictures >= 16 && var.max_waiting_pictures <= 10000000 && floor(var.max_waiting_pictures) == var.max_waiting_pictures
    error_message = "max_waiting_pictures must be a whole number from 16, which the largest job has, to 10000000."
  }
}

variable "tenants" {
  description = "Limits of single API keys, by name: their share of turns, how many of their pictures may wait, the most that one job of theirs may cost, and their budget (see `budget`). They go before those of all keys."
  type = map(object({
    weight               = optional(number)
    max_waiting_pictures = optional(number)
    max_cost_usd         = optional(number)
    budget = optional(object({
      usd      = number
      per      = string
      zone     = optional(string, "UTC")
      at_limit = optional(string, "hold")
    }))
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for t in values(var.tenants) : t.weight == null ? true : t.weight >= 0.01 && t.weight <= 100])
    error_message = "weight must be a number from 0.01 to 100."
  }
  validation {
    condition = alltrue([
      for t in values(var.tenants) : t.max_waiting_pictures == null ? true :
      t.max_waiting_pictures >= 16 && t.max_waiting_pictures <= 10000000 && floor(t.max_waiting_pictures) == t.max_waiting_pictures
    ])
    error_message = "max_waiting_pictures must be a whole number from 16, which the largest job has, to 10000000."
  }
  validation {
    condition     = alltrue([for t in values(var.tenants) : t.max_cost_usd == null ? true : t.max_cost_usd >= 0.001 && t.max_cost_usd <= 1000000])
    error_message = "max_cost_usd must be a number from 0.001 to 1000000."
  }
  validation {
    condition = alltrue([
      for t in values(var.tenants) : t.budget == null ? true :
      t.budget.usd >= 0.001 && t.budget.usd <= 1000000 && contains(["day", "month"], t.budget.per) && contains(["hold", "refuse"], t.budget.at_limit)
    ])
    error_message = "budget: usd must be a number from 0.001 to 1000000, per must be day or month, and at_limit must be hold or refuse."
  }
}

variable "budget" {
  description = "The most that all pictures may cost in a day or a month by list price, in a time zone. What goes beyond is held until there is room, or refused. Set it once this version runs everywhere."
  type = object({
    usd      = number
    per      = string
    zone     = optional(string, "UTC")
    at_limit = optional(string, "hold")
  })
  default = null

  validation {
    condition = var.budget == null ? true : (
      var.budget.usd >= 0.001 && var.budget.usd <= 1000000 && contains(["day", "month"], var.budget.per) && contains(["hold", "refuse"], var.budget.at_limit)
    )
    error_message = "usd must be a number from 0.001 to 1000000, per must be day or month, and at_limit must be hold or refuse."
  }
}

# ---- Services --------------------------------------------------------------

variable "worker" {
  description = <<-EOT
    Size of the worker. An instance holds up to `concurrency` pictures at a time. An internal one is reached from inside
    the project only, by Cloud Tasks and Cloud Scheduler among others. Cloud Build's smoke test then does not reach it, nor
    does doctor, which leaves out what runs and how its work is going.
  EOT
  type = object({
    max_instances = optional(number, 10)
    concurrency   = optional(number, 40)
    cpu           = optional(number, 1)
    memory_mib    = optional(number, 1024)
    internal      = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = !var.worker.internal || var.build_account == null
    error_message = "worker: internal is for services that only Terraform deploys: Cloud Build, which build_account is for, tries the worker from outside."
  }
  validation {
    condition     = contains([1, 2, 4, 8], var.worker.cpu)
    error_message = "worker: cpu must be 1, 2, 4 or 8: with less than one, Cloud Run sends an instance one request at a time."
  }
  validation {
    condition     = var.worker.memory_mib >= 128 + 16 * var.worker.concurrency
    error_message = "worker: memory_mib must be at least 128 + 16 × concurrency: an instance holds up to two copies of each picture that it draws, of 8 MiB at 4K."
  }
}

variable "api" {
  description = <<-EOT
    Size of the API, and who may reach it. A public one asks callers for a key of api-keys; one that is not asks for a
    Google identity besides. concurrency counts each caller that waits for a job or follows one: these cost an instance
    little, and hold it open together. One of several tenants may have 200 of them in an instance. cors_origins are the
    origins of web pages that may read jobs with a browser token, such as https://app.example.com.
  EOT
  type = object({
    public        = optional(bool, true)
    url           = optional(string) # if it has a domain of its own
    min_instances = optional(number, 0)
    max_instances = optional(number, 10)
    concurrency   = optional(number, 250)
    memory_mib    = optional(number, 1024)
    cors_origins  = optional(list(string), [])
    # Where the organisation forbids allUsers (domain restricted sharing): Cloud Run asks nobody for an identity then, by
    # a setting of the service instead of a right. Only who may set rights on services may set it.
    invoker_iam_disabled = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.api.url == null ? true : can(regex("^https://[^/]+$", var.api.url))
    error_message = "api: url must be https:// and a host name, without a path."
  }
  validation {
    condition     = var.api.concurrency >= 1 && var.api.concurrency <= 1000 && floor(var.api.concurrency) == var.api.concurrency
    error_message = "api: concurrency must be a whole number from 1 to 1000, which is the most that Cloud Run sends to one instance."
  }
  validation {
    condition     = alltrue([for o in var.api.cors_origins : can(regex("^(https://[a-z0-9.-]+(:[0-9]+)?|http://localhost(:[0-9]+)?)$", o)) && !endswith(o, ":443") && !endswith(o, ":80")])
    error_message = "api: each of cors_origins must be an exact origin, such as https://app.example.com: https, in lower case, without a path, without the port that goes without saying, and without *, by which any page of the web could read a job whose token it came by."
  }
}

variable "dashboard" {
  description = <<-EOT
    The operators' pages (docs/dashboard.md) as a service of its own; none, unless given. Without iap, operators log in
    with a password, and it takes the secret dashboard-users. iap puts it behind Google's Identity-Aware Proxy, which
    needs an organisation: the role of each account or domain, such as { "ada@example.com" = "admin",
    "example.com" = "viewer" }. Before iap is first set, the proxy's own account has to be made:
    gcloud beta services identity create --service=iap.googleapis.com
  EOT
  type = object({
    iap                  = optional(map(string))
    pictures             = optional(string, "operator") # the least role that sees callers' pictures
    max_instances        = optional(number, 2)
    memory_mib           = optional(number, 512)
    invoker_iam_disabled = optional(bool, false) # as that of api
  })
  default = null

  validation {
    condition     = try(var.dashboard.iap, null) == null ? true : length(var.dashboard.iap) > 0 && alltrue([for who, role in var.dashboard.iap : can(regex("^([^@:,\\s]+@)?[a-z0-9-]+(\\.[a-z0-9-]+)+$", who)) && contains(["viewer", "operator", "admin"], role)])
    error_message = "dashboard: iap must have the role of each email or domain: viewer, operator or admin."
  }
  validation {
    condition     = var.dashboard == null ? true : contains(["viewer", "operator"], var.dashboard.pictures)
    error_message = "dashboard: pictures must be viewer or operator."
  }
  validation {
    condition     = try(var.dashboard.iap, null) == null || !try(var.dashboard.invoker_iam_disabled, false)
    error_message = "dashboard: invoker_iam_disabled lets everybody past Google's proxy; leave it out where iap is set."
  }
}

variable "sweep_schedule" {
  description = <<-EOT
    When to sweep even if nothing was asked: it removes what is past retention, and is the last resort for what
    crashes left behind. While there is work the service has itself swept every ten minutes. A database that is
    suspended while idle is woken each time.
  EOT
  type        = string
  default     = "17 3 * * *"
  nullable    = false
}

variable "sweep_queue_version" {
  description = "Raise it to get a new queue for sweeps, as queue_version of lanes."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.sweep_queue_version >= 1 && floor(var.sweep_queue_version) == var.sweep_queue_version
    error_message = "sweep_queue_version must be a whole number from 1."
  }
}

variable "webhooks" {
  description = "Whether receivers are told of jobs. It takes the secret webhook-secret; see docs/webhooks.md."
  type        = bool
  default     = false
  nullable    = false
}

variable "budget_webhook" {
  description = <<-EOT
    An https address that is told when a budget is used to 50, 80 or 100 %; nobody is, unless given. It takes the secret
    budget-webhook-secret, which must be another than webhook-secret; see docs/webhooks.md. Set it once this version runs
    everywhere.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.budget_webhook == null ? true : can(regex("^https://[^/\\s]+(/\\S*)?$", var.budget_webhook))
    error_message = "budget_webhook must be an address that begins with https://."
  }
}

variable "webhook_queue_version" {
  description = "Raise it to get a new queue for webhooks, as queue_version of lanes."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.webhook_queue_version >= 1 && floor(var.webhook_queue_version) == var.webhook_queue_version
    error_message = "webhook_queue_version must be a whole number from 1."
  }
}

variable "deletion_protection" {
  description = "Set it to false, and apply, before `terraform destroy`."
  type        = bool
  default     = true
  nullable    = false
}

# ---- Who else has access ---------------------------------------------------

variable "build_account" {
  description = "Email of the account that Cloud Build deploys as: bootstrap's output build_account. Without it, only Terraform deploys."
  type        = string
  default     = null

  validation {
    condition     = var.build_account == null ? true : can(regex("^[^@]+@[^@]+\\.iam\\.gserviceaccount\\.com$", var.build_account))
    error_message = "build_account must be the email of a service account."
  }
}

variable "vercel" {
  description = "Lets a Vercel project call an API that is not public, by its own identity instead of a downloaded key."
  type = object({
    team         = string
    project      = string
    environments = optional(list(string), ["production"])
  })
  default = null
}

# ---- Being told ------------------------------------------------------------

variable "alert_emails" {
  description = "Who is told when something is wrong. Nobody, if empty; the alerts show in Cloud Monitoring all the same."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "alerts" {
  description = "What counts as wrong."
  type = object({
    waiting_minutes    = optional(number, 60) # the oldest picture waits so long
    no_success_minutes = optional(number, 30) # there is work, and no picture comes out
    server_errors      = optional(number, 5)  # answers of 500 and above in 5 minutes
    daily_spend_usd    = optional(number, 50) # of pictures, by the tokens of the answers
    budget_percent     = optional(number, 80) # of a budget, of all or of a tenant: 50, 80 or 100
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains([50, 80, 100], var.alerts.budget_percent)
    error_message = "alerts: budget_percent must be 50, 80 or 100, at which the program says so."
  }
}

variable "billing_budget" {
  description = "Google Cloud tells of what the whole project costs in a month. It needs rights on the billing account, and is in that account's currency."
  type = object({
    billing_account = string # 000000-000000-000000
    monthly_amount  = number # whole units of the currency
  })
  default = null

  validation {
    condition     = var.billing_budget == null ? true : can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_budget.billing_account))
    error_message = "billing_budget: billing_account must look like 012345-6789AB-CDEF01; `gcloud billing accounts list` shows it."
  }
  validation {
    condition     = var.billing_budget == null ? true : var.billing_budget.monthly_amount >= 1 && floor(var.billing_budget.monthly_amount) == var.billing_budget.monthly_amount
    error_message = "billing_budget: monthly_amount must be a whole number from 1, in the currency of the billing account."
  }
}

variable "settle_seconds" {
  description = "How long to wait until an API that was enabled, or a right that was granted, is felt everywhere. An apply that does neither does not wait."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.settle_seconds >= 0 && var.settle_seconds <= 600 && floor(var.settle_seconds) == var.settle_seconds
    error_message = "settle_seconds must be a whole number from 0 to 600."
  }
}

variable "queue_log_ratio" {
  description = "Share of the queues' operations that is logged, 0 to 1. Each costs as much as a line of log."
  type        = number
  default     = 0.1
  nullable    = false
}
