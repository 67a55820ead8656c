# Brings the database to the newest schema. An apply that makes it, or changes
# `image` or the database, runs it and waits for it, before the services get the
# image; if it fails, they keep the one they have. Where `image` is not set, the
# deploy by Cloud Build has run it already. Migrations leave the schema usable by
# the version before.
resource "google_cloud_run_v2_job" "migrate" {
  name                = "${var.name}-migrate"
  location            = var.region
  deletion_protection = false # it keeps nothing
  labels              = local.labels

  # A new name is a new run.
  run_execution_token = substr(sha256(jsonencode([var.image, local.env["migrate"]])), 0, 12)

  template {
    template {
      service_account = google_service_account.this["migrate"].email
      max_retries     = 1 # goose takes a lock, and does each migration in a transaction
      timeout         = "${local.deadlines.migrate}s"

      containers {
        image = local.image
        args  = ["migrate"]

        dynamic "env" {
          for_each = local.env["migrate"]
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
      }
    }
  }

  # An apply waits as long as both tries may take.
  timeouts {
    create = "${ceil(local.deadlines.migrate * 2 / 60) + 10}m"
    update = "${ceil(local.deadlines.migrate * 2 / 60) + 10}m"
  }

  lifecycle {
    ignore_changes = [client, client_version, template[0].labels]
  }
  depends_on = [terraform_data.rights_felt]
}

# Says what is wrong with the service and how to mend it; run by hand, and by
# Cloud Build before traffic moves. It sees what the worker sees.
resource "google_cloud_run_v2_job" "doctor" {
  name                = "${var.name}-doctor"
  location            = var.region
  deletion_protection = false
  labels              = local.labels

  template {
    template {
      service_account = google_service_account.this["worker"].email
      max_retries     = 0
      timeout         = "120s"

      containers {
        image = local.image
        args  = concat(["doctor"], var.worker.internal ? ["--setup"] : []) # it does not reach an internal worker

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
      }
    }
  }

  lifecycle {
    ignore_changes = [client, client_version, template[0].labels]
  }
  depends_on = [terraform_data.rights_felt]
}
