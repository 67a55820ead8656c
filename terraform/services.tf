locals {
  # Of both services. One lane is in the plain settings, several are in LANES.
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
    length(var.lanes) > 1 ? { LANES = local.lanes_setting } : local.lane_settings,
  )

  # The worker is private: Cloud Run checks who calls it, and takes the
  # signature off the token that the worker gets to see.
  worker_settings = {
    ROLE                       = "worker"
    TASKS_SIGNATURE_CHECKED_BY = "cloud-run"
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
      database-url   = "DATABASE_URL"
      redis-url      = "REDIS_URL"
      r2-credentials = "R2_CREDENTIALS"
      api-keys       = "API_KEYS"
    },
    { for lane, secret in local.lane_secrets : secret => local.key_settings[lane] },
  )

  # By account: the settings that are secrets, with the version to use.
  secrets_as_settings = {
    for account, names in local.secrets_of : account => {
      for name in names : lookup(local.secret_settings, name, "DATABASE_URL") => {
        secret  = google_secret_manager_secret.this[name].secret_id
        version = google_secret_manager_secret_version.this[name].version
      }
    }
  }
}

resource "google_cloud_run_v2_service" "worker" {
  name                = var.name
  location            = var.region
  description         = "Draws pictures. Cloud Tasks calls it, one request per picture."
  deletion_protection = var.deletion_protection
  labels              = local.labels

  template {
    service_account                  = google_service_account.this["worker"].email
    timeout                          = "${local.deadlines.request}s"
    max_instance_request_concurrency = var.worker.concurrency
    labels                           = local.labels

    scaling {
      min_instance_count = 0 # costs nothing while idle
      max_instance_count = var.worker.max_instances
    }

    containers {
      image = local.image

      resources {
        limits            = { cpu = tostring(var.worker.cpu), memory = "${var.worker.memory_mib}Mi" }
        cpu_idle          = true # paid for while there are requests only
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = merge(local.settings, local.worker_settings, {
          GOMEMLIMIT = "${floor(var.worker.memory_mib * 0.85)}MiB" # Go collects garbage before Cloud Run kills
        })
        content {
          name  = env.key
          value = env.value
        }
      }
      dynamic "env" {
        for_each = local.secrets_as_settings["worker"]
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value.secret
              version = env.value.version
            }
          }
        }
      }

      startup_probe {
        period_seconds    = 1
        timeout_seconds   = 1
        failure_threshold = 30
        http_get {
          path = "/health" # asks neither Postgres nor Redis, and so wakes nothing
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [client, client_version] # whose tool deployed last

    precondition {
      condition     = local.in_flight <= local.capacity
      error_message = "The lanes' concurrency adds up to ${local.in_flight}, and the worker takes ${local.capacity} requests: ${var.worker.max_instances} instances of ${var.worker.concurrency}. Raise worker.max_instances, or Cloud Run refuses deliveries, which slows the queues down."
    }
    precondition {
      condition     = local.deadlines_nest
      error_message = "local.deadlines must grow from each to the next."
    }
  }

  depends_on = [google_cloud_run_v2_job.migrate, google_secret_manager_secret_iam_member.reader]
}

resource "google_cloud_run_v2_service" "api" {
  name                = "${var.name}-api"
  location            = var.region
  description         = "Takes jobs for pictures and tells how they are doing."
  deletion_protection = var.deletion_protection
  labels              = local.labels

  template {
    service_account                  = google_service_account.this["api"].email
    timeout                          = "120s" # Prefer: wait is at most 60 s
    max_instance_request_concurrency = var.api.concurrency
    labels                           = local.labels

    scaling {
      min_instance_count = var.api.min_instances
      max_instance_count = var.api.max_instances
    }

    containers {
      image = local.image

      resources {
        limits            = { cpu = "1", memory = "${var.api.memory_mib}Mi" }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = merge(local.settings, {
          ROLE       = "api"
          GOMEMLIMIT = "${floor(var.api.memory_mib * 0.85)}MiB"
        })
        content {
          name  = env.key
          value = env.value
        }
      }
      dynamic "env" {
        for_each = local.secrets_as_settings["api"]
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value.secret
              version = env.value.version
            }
          }
        }
      }

      startup_probe {
        period_seconds    = 1
        timeout_seconds   = 1
        failure_threshold = 30
        http_get {
          path = "/health"
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [client, client_version]
  }

  depends_on = [google_cloud_run_v2_job.migrate, google_secret_manager_secret_iam_member.reader]
}
