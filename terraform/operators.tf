# The operators' pages as a service of their own, which callers and Cloud Tasks
# do not reach. It reads no key of Gemini's and no key of the API's.

locals {
  dashboard     = var.dashboard == null ? {} : { dashboard = var.dashboard }
  behind_iap    = try(var.dashboard.iap, null) != null
  dashboard_url = "https://${var.name}-dashboard${local.run_suffix}"
}

resource "google_cloud_run_v2_service" "dashboard" {
  for_each = local.dashboard

  name                 = "${var.name}-dashboard"
  location             = var.region
  description          = "Shows operators how the work is going, and lets them act on it."
  deletion_protection  = false # it keeps nothing
  labels               = local.labels
  iap_enabled          = local.behind_iap
  invoker_iam_disabled = each.value.invoker_iam_disabled

  template {
    service_account                  = google_service_account.this["dashboard"].email
    timeout                          = "60s"
    max_instance_request_concurrency = 80
    labels                           = local.labels

    scaling {
      min_instance_count = 0 # costs nothing while nobody looks
      max_instance_count = each.value.max_instances
    }

    containers {
      image = local.image

      resources {
        limits            = { cpu = "1", memory = "${each.value.memory_mib}Mi" }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = local.env["dashboard"]
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

  traffic {
    type    = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
    percent = 100
  }

  lifecycle {
    ignore_changes = [client, client_version, template[0].labels]
  }

  depends_on = [google_cloud_run_v2_job.migrate, terraform_data.rights_felt]
}

# With passwords, everybody may reach the page that asks for one. Behind Google's
# proxy only the proxy may, and lets those in who have a role.
resource "google_cloud_run_v2_service_iam_member" "dashboard" {
  for_each = { for key, d in local.dashboard : key => d if !d.invoker_iam_disabled }

  name     = google_cloud_run_v2_service.dashboard[each.key].name
  location = var.region
  role     = "roles/run.invoker"
  member   = local.behind_iap ? "serviceAccount:service-${data.google_project.this.number}@gcp-sa-iap.iam.gserviceaccount.com" : "allUsers"
}

resource "google_iap_web_cloud_run_service_iam_member" "operator" {
  for_each = local.behind_iap ? var.dashboard.iap : {}

  location               = var.region
  cloud_run_service_name = google_cloud_run_v2_service.dashboard["dashboard"].name
  role                   = "roles/iap.httpsResourceAccessor"
  member                 = strcontains(each.key, "@") ? "user:${each.key}" : "domain:${each.key}"
  depends_on             = [terraform_data.apis_usable]
}
