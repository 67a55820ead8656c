locals {
  lane_secrets = { for lane in keys(var.lanes) : lane => "gemini-api-key-${lane}" }

  # Which secrets each account reads.
  secrets_of = {
    api     = concat(["database-url", "redis-url", "r2-credentials", "api-keys"], var.webhooks ? ["webhook-secret"] : [])
    worker  = concat(["database-url", "redis-url", "r2-credentials"], values(local.lane_secrets), var.webhooks ? ["webhook-secret"] : [])
    migrate = [local.migrate_secret]
  }
  migrate_secret = var.migrate_database_url ? "migrate-database-url" : "database-url"
}

resource "google_secret_manager_secret" "this" {
  for_each = toset(flatten(values(local.secrets_of)))

  secret_id = "${var.name}-${each.key}"
  labels    = local.labels
  replication {
    auto {}
  }
  depends_on = [google_project_service.this]
}

# Instances read secrets when they start. The services name a version by its
# number, so that all instances of a revision have the same values, and a new
# value makes a new revision.
resource "google_secret_manager_secret_version" "this" {
  for_each = google_secret_manager_secret.this

  secret                 = each.value.id
  secret_data_wo         = lookup(var.secrets, each.key, "") # looked at when a version is made; then an empty one is refused
  secret_data_wo_version = lookup(var.secret_versions, each.key, 1)
  deletion_policy        = "DISABLE" # the value before can be enabled again to roll back

  lifecycle {
    create_before_destroy = true
  }
}
