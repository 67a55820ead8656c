# The services: what callers reach, what Cloud Tasks calls, and what operators
# look at. `locals` says in what they differ.

locals {
  services = merge(
    {
      worker = {
        name                 = var.name
        description          = "Draws pictures. Cloud Tasks calls it, one request per picture."
        timeout              = local.deadlines.request
        concurrency          = var.worker.concurrency
        min_instances        = 0 # costs nothing while idle
        max_instances        = var.worker.max_instances
        cpu                  = var.worker.cpu
        memory_mib           = var.worker.memory_mib
        internal             = var.worker.internal # in either case Cloud Tasks' account only
        http2                = false               # a delivery goes on when its caller has gone, so it gains nothing by it
        invoker_iam_disabled = false
        iap                  = false
        deletion_protection  = var.deletion_protection
      }
      api = {
        name                 = "${var.name}-api"
        description          = "Takes jobs for pictures and tells how they are doing."
        timeout              = local.deadlines.stream
        concurrency          = var.api.concurrency
        min_instances        = var.api.min_instances
        max_instances        = var.api.max_instances
        cpu                  = 1
        memory_mib           = var.api.memory_mib
        internal             = false
        http2                = true
        invoker_iam_disabled = var.api.public && var.api.invoker_iam_disabled
        iap                  = false
        deletion_protection  = var.deletion_protection
      }
    },
    # A service of its own, which callers and Cloud Tasks do not reach. It reads no
    # key of Gemini's and no key of the API's.
    { for key, d in local.dashboard : key => {
      name                 = "${var.name}-dashboard"
      description          = "Shows operators how the work is going, and lets them act on it."
      timeout              = 60
      concurrency          = 80
      min_instances        = 0 # costs nothing while nobody looks
      max_instances        = d.max_instances
      cpu                  = 1
      memory_mib           = d.memory_mib
      internal             = false
      http2                = false
      invoker_iam_disabled = d.invoker_iam_disabled
      iap                  = local.behind_iap
      deletion_protection  = false # it keeps nothing
    } },
  )
}

resource "google_cloud_run_v2_service" "this" {
  for_each = local.services

  name                 = each.value.name
  location             = var.region
  description          = each.value.description
  deletion_protection  = each.value.deletion_protection
  labels               = local.labels
  ingress              = each.value.internal ? "INGRESS_TRAFFIC_INTERNAL_ONLY" : "INGRESS_TRAFFIC_ALL"
  iap_enabled          = each.value.iap
  invoker_iam_disabled = each.value.invoker_iam_disabled

  template {
    service_account                  = google_service_account.this[each.key].email
    timeout                          = "${each.value.timeout}s"
    max_instance_request_concurrency = each.value.concurrency
    labels                           = local.labels

    scaling {
      min_instance_count = each.value.min_instances
      max_instance_count = each.value.max_instances
    }

    containers {
      image = local.image

      # HTTP/2 as far as the program. By that alone Cloud Run passes on that a
      # caller has gone; otherwise a closed tab holds its stream, and is paid
      # for, until that times out. Without it, a port speaks HTTP/1.1.
      dynamic "ports" {
        for_each = each.value.http2 ? [8080] : []
        content {
          name           = "h2c"
          container_port = ports.value
        }
      }

      resources {
        limits            = { cpu = tostring(each.value.cpu), memory = "${each.value.memory_mib}Mi" }
        cpu_idle          = true # paid for while there are requests only
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = local.env[each.key]
        content {
          name  = env.key
          value = env.value.value

          dynamic "value_source" {
            for_each = env.value.secret
            content {
              secret_key_ref {
                secret  = value_source.value.secret
                version = value_source.value.version
              }
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

  # A roll-back deploys an older image anew, so that nothing is ever pinned.
  # What was pinned by hand, or is a canary, an apply gives to the latest.
  traffic {
    type    = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
    percent = 100
  }

  lifecycle {
    ignore_changes = [client, client_version, template[0].labels] # gcloud writes its own
  }

  depends_on = [google_cloud_run_v2_job.migrate, terraform_data.rights_felt]
}

# Their addresses in states of before, in which each was a resource of its own.
moved {
  from = google_cloud_run_v2_service.worker
  to   = google_cloud_run_v2_service.this["worker"]
}

moved {
  from = google_cloud_run_v2_service.api
  to   = google_cloud_run_v2_service.this["api"]
}

moved {
  from = google_cloud_run_v2_service.dashboard
  to   = google_cloud_run_v2_service.this
}
