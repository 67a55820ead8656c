# Notes whose state this is. It is never changed, so that a plan with another
# name or project is found out before it replaces anything.
resource "terraform_data" "deployment" {
  input = "${var.project}/${var.name}"

  lifecycle {
    ignore_changes = [input]
  }
}

# What must be so before anything is made, changed or deleted.
resource "terraform_data" "checked" {
  lifecycle {
    precondition {
      condition     = terraform_data.deployment.output == "${var.project}/${var.name}"
      error_message = "This state is that of ${terraform_data.deployment.output}, and project and name say ${var.project}/${var.name}: all of the first would be deleted. For a second service use a state of its own: terraform init -reconfigure -backend-config=bucket=BUCKET -backend-config=prefix=${var.name}"
    }
    precondition {
      condition     = var.secrets_file == null || length(lookup(local.file, "salt", "")) >= 32
      error_message = "The file of secrets_file has no \"salt\" of 32 characters or more. Add one, and keep it as long as the file: openssl rand -hex 32"
    }
    precondition {
      condition     = length(setsubtract(local.named, local.made_secrets)) == 0
      error_message = "The file of secrets_file names ${join(", ", setsubtract(local.named, local.made_secrets))}, which nothing reads, or which existing_secrets has. These are made: ${join(", ", local.made_secrets)}."
    }
    precondition {
      condition     = alltrue([for name in local.named : trimspace(local.file[name]) != ""])
      error_message = "The file of secrets_file has an empty value. Leave out what is not to be changed."
    }
    precondition {
      condition     = !local.migrates_pooled
      error_message = "${local.migrate_secret} leads to a transaction pooler, behind which migrations cannot hold their lock. Add \"migrate-database-url\" with a direct connection (Supabase: the session pooler, port 5432, will do) to the file of secrets_file, and set migrate_database_url = true."
    }
    precondition {
      condition     = local.in_flight <= local.capacity
      error_message = "The lanes' concurrency adds up to ${local.in_flight}, and the worker takes ${local.capacity} requests: ${var.worker.max_instances} instances of ${var.worker.concurrency}. Raise worker.max_instances, or Cloud Run refuses deliveries, which slows the queues down."
    }
    # https://cloud.google.com/run/quotas: the longest value of an environment variable
    precondition {
      condition     = length(local.tenants_setting) <= 32768
      error_message = "tenants makes a setting of ${length(local.tenants_setting)} characters, and Cloud Run takes 32768, which is some 400 tenants with budgets. Leave out those whose limits are as MAX_WAITING_PICTURES and BUDGET say."
    }
    precondition {
      condition     = local.deadlines_nest
      error_message = "local.deadlines must grow from each to the next."
    }
  }
}
