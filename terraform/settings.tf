# The environment of each container: what is set, and which version of which
# secret. `ai-worker doctor` checks it, and the README says what each is for.

locals {
  # One lane is in the plain settings. Several are in LANES, and so is one that
  # is paused or answers for older models, which plain settings cannot say.
  plain_lane = length(var.lanes) == 1 && alltrue([for l in values(var.lanes) : !l.paused && length(l.also_serves) == 0])

  tenants_setting = jsonencode({ for name, t in var.tenants : name => { for field, value in t : field => value if value != null } })

  # Of all services.
  settings = merge(
    {
      CLOUD_TASKS_QUEUE     = google_cloud_tasks_queue.lane[keys(var.lanes)[0]].id
      GEMINI_MODEL          = var.model
      PUBLIC_URL            = local.api_url
      R2_ACCOUNT_ID         = var.r2.account_id
      R2_BUCKET             = var.r2.bucket
      RETENTION_DAYS        = tostring(var.retention_days)
      SWEEP_QUEUE           = google_cloud_tasks_queue.sweep.id
      TASKS_SERVICE_ACCOUNT = google_service_account.this["tasks"].email
      WORKER_MAX_INSTANCES  = tostring(var.worker.max_instances)
      WORKER_URL            = local.worker_url
    },
    var.r2.public_url == null ? {} : { R2_PUBLIC_URL = var.r2.public_url },
    var.budget == null ? {} : { BUDGET = jsonencode(var.budget) },
    length(var.tenants) == 0 ? {} : { TENANTS = local.tenants_setting },
    length(local.webhook_secrets) == 0 ? {} : { WEBHOOK_QUEUE = google_cloud_tasks_queue.webhook[0].id },
    var.budget_webhook == null ? {} : { BUDGET_WEBHOOK = var.budget_webhook },
    local.plain_lane ? local.lane_settings : { LANES = local.lanes_setting },
  )

  # The worker is private: Cloud Run checks who calls it, and takes the
  # signature off the token that the worker gets to see.
  worker_settings = {
    ROLE                       = "worker"
    TASKS_SIGNATURE_CHECKED_BY = "cloud-run"
  }

  api_settings = merge(
    {
      ROLE                 = "api"
      MAX_WAITING_PICTURES = tostring(var.max_waiting_pictures)
    },
    length(var.api.cors_origins) == 0 ? {} : { CORS_ORIGINS = join(",", var.api.cors_origins) },
  )

  dashboard_settings = {
    ROLE                 = "dashboard"
    ENABLE_DASHBOARD     = "true"
    DASHBOARD_PICTURES   = try(var.dashboard.pictures, "operator")
    DASHBOARD_LOGS_URL   = "https://console.cloud.google.com/logs/query;query=jsonPayload.job_id%3D%22{job_id}%22;startTime={from};endTime={to}?project=${var.project}"
    MAX_WAITING_PICTURES = tostring(var.max_waiting_pictures)
  }

  iap_settings = !local.behind_iap ? {} : {
    DASHBOARD_IAP_AUDIENCE = "/projects/${data.google_project.this.number}/locations/${var.region}/services/${var.name}-dashboard"
    DASHBOARD_IAP_ROLES    = join(",", [for who, role in var.dashboard.iap : "${who}:${role}"])
  }

  lane_settings = merge([
    for l in slice(values(var.lanes), 0, 1) : {
      GEMINI_MODEL       = coalesce(l.model, var.model)
      GEMINI_RPM         = tostring(l.rpm)
      WORKER_CONCURRENCY = tostring(l.concurrency)
    }
  ]...)

  lanes_setting = jsonencode([
    for name, l in var.lanes : {
      name            = name
      model           = coalesce(l.model, var.model)
      rpm             = l.rpm
      concurrency     = l.concurrency
      queue           = google_cloud_tasks_queue.lane[name].id
      api_key_env     = local.key_settings[name]
      project         = coalesce(l.project, "-")
      billing_account = l.billing_account == null ? "" : l.billing_account
      paused          = l.paused
      also_serves     = l.also_serves
    }
  ])

  # The setting that holds a lane's key.
  key_settings = {
    for name in keys(var.lanes) : name => (
      length(var.lanes) > 1 ? "GEMINI_API_KEY_${upper(replace(name, "-", "_"))}" : "GEMINI_API_KEY"
    )
  }

  # Settings that are secrets, by the secret that holds them.
  secret_settings = merge(
    {
      database-url          = "DATABASE_URL"
      redis-url             = "REDIS_URL"
      r2-credentials        = "R2_CREDENTIALS"
      api-keys              = "API_KEYS"
      webhook-secret        = "WEBHOOK_SECRET"
      dashboard-users       = "DASHBOARD_USERS"
      budget-webhook-secret = "BUDGET_WEBHOOK_SECRET"
    },
    { for lane, secret in local.lane_secrets : secret => local.key_settings[lane] },
  )

  # By account, for the settings that are secrets: the version to use.
  secrets_as_settings = {
    for account, names in local.secrets_of : account => {
      for name in names : lookup(local.secret_settings, name, "DATABASE_URL") => {
        value = null
        secret = [{
          secret  = local.secret_ids[name]
          version = local.secret_versions[name]
        }]
      }
    }
  }

  # What each service has besides.
  settings_of = {
    worker    = local.worker_settings
    api       = local.api_settings
    dashboard = merge(local.dashboard_settings, local.iap_settings)
  }

  # Go collects garbage before Cloud Run kills an instance.
  go_memory = { for service, s in local.services : service => { GOMEMLIMIT = "${floor(s.memory_mib * 0.85)}MiB" } }

  env = merge({ migrate = local.secrets_as_settings["migrate"] }, {
    for service in keys(local.services) : service => merge(local.secrets_as_settings[service], {
      for name, value in merge(local.settings, local.settings_of[service], local.go_memory[service]) : name => { value = value, secret = [] }
    })
  })
}
