resource "google_cloud_run_v2_service" "worker" {
  name                = var.name
  location            = var.region
  description         = "Draws pictures. Cloud Tasks calls it, one request per picture."
  deletion_protection = var.deletion_protection
  labels              = local.labels
  ingress             = var.worker.internal ? "INGRESS_TRAFFIC_INTERNAL_ONLY" : "INGRESS_TRAFFIC_ALL" # in either case Cloud Tasks' account only

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

      # Its port speaks HTTP/1.1, the default. A delivery goes on when its caller
      # has gone, so it gains nothing by HTTP/2.

      resources {
        limits            = { cpu = tostring(var.worker.cpu), memory = "${var.worker.memory_mib}Mi" }
        cpu_idle          = true # paid for while there are requests only
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = local.env["worker"]
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

    precondition {
      condition     = local.in_flight <= local.capacity
      error_message = "The lanes' concurrency adds up to ${local.in_flight}, and the worker takes ${local.capacity} requests: ${var.worker.max_instances} instances of ${var.worker.concurrency}. Raise worker.max_instances, or Cloud Run refuses deliveries, which slows the queues down."
    }
    precondition {
      condition     = local.deadlines_nest
      error_message = "local.deadlines must grow from each to the next."
    }
  }

  depends_on = [google_cloud_run_v2_job.migrate, terraform_data.rights_felt]
}

resource "google_cloud_run_v2_service" "api" {
  name                = "${var.name}-api"
  location            = var.region
  description         = "Takes jobs for pictures and tells how they are doing."
  deletion_protection = var.deletion_protection
  labels              = local.labels

  template {
    service_account                  = google_service_account.this["api"].email
    timeout                          = "${local.deadlines.stream}s"
    max_instance_request_concurrency = var.api.concurrency
    labels                           = local.labels

    scaling {
      min_instance_count = var.api.min_instances
      max_instance_count = var.api.max_instances
    }

    containers {
      image = local.image

      # HTTP/2 as far as the program. By that alone Cloud Run passes on that a
      # caller has gone; otherwise a closed tab holds its stream, and is paid
      # for, until that times out.
      ports {
        name           = "h2c"
        container_port = 8080
      }

      resources {
        limits            = { cpu = "1", memory = "${var.api.memory_mib}Mi" }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = local.env["api"]
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
          path = "/health"
        }
      }
    }
  }

  invoker_iam_disabled = var.api.public && var.api.invoker_iam_disabled

  traffic {
    type    = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
    percent = 100
  }

  lifecycle {
    ignore_changes = [client, client_version, template[0].labels]
  }

  depends_on = [google_cloud_run_v2_job.migrate, terraform_data.rights_felt]
}
