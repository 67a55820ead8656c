locals {
  lane_secrets = { for lane in keys(var.lanes) : lane => "gemini-api-key-${lane}" }

  # Which secrets each account reads.
  secrets_of = merge(
    {
      api     = concat(["database-url", "redis-url", "r2-credentials", "api-keys"], local.webhook_secrets)
      worker  = concat(["database-url", "redis-url", "r2-credentials"], values(local.lane_secrets), local.webhook_secrets)
      migrate = [local.migrate_secret]
    },
    { for key, d in local.dashboard : key => local.dashboard_secrets },
  )
  # Those of webhooks, because receivers are told of what operators do.
  dashboard_secrets = concat(["database-url", "redis-url", "r2-credentials"], local.behind_iap ? [] : ["dashboard-users"], local.webhook_secrets)

  webhook_secrets = concat(var.webhooks ? ["webhook-secret"] : [], var.budget_webhook == null ? [] : ["budget-webhook-secret"])

  migrate_secret = var.migrate_database_url ? "migrate-database-url" : "database-url"

  # Secrets that are made here: those that are not there already.
  made_secrets = setsubtract(flatten(values(local.secrets_of)), keys(var.existing_secrets))

  # What secrets_file holds. Values go into write-only arguments only, so that no
  # state and no plan has them.
  file  = var.secrets_file == null ? {} : { for name, value in jsondecode(file(var.secrets_file)) : name => tostring(value) }
  given = sensitive({ for name, value in local.file : name => value if name != "salt" })
  named = toset([for name in keys(local.file) : name if name != "salt"])

  # A value is known again by its fingerprint, which is kept with the secret and in
  # the state. The salt is in the file only. Without it, nobody can tell from a
  # fingerprint whether a guess is right, not even of a short password.
  fingerprint = {
    for name in local.named : name => nonsensitive(parseint(substr(sha256("${lookup(local.file, "salt", "")}\n${name}\n${local.file[name]}"), 0, 12), 16))
  }

  # Secrets that are to have a value, and for which the file has none.
  kept_secrets = setsubtract(local.made_secrets, local.named)
}

# Looks up the secrets whose values are not given now.
data "google_secret_manager_secrets" "there" {
  count = length(local.kept_secrets) == 0 ? 0 : 1

  filter = "name:${var.name}-"

  lifecycle {
    postcondition {
      condition     = length(setsubtract([for name in local.kept_secrets : "${var.name}-${name}"], [for s in self.secrets : s.secret_id])) == 0
      error_message = "There is no value yet for ${join(", ", setsubtract([for name in local.kept_secrets : "${var.name}-${name}"], [for s in self.secrets : s.secret_id]))}. Put it into the file of secrets_file, under the name without ${var.name}-; or name a secret of yours in existing_secrets."
    }
  }
}

locals {
  # The fingerprint of each value that is kept. A secret from before there were
  # fingerprints has none; its version has the number 1.
  kept = {
    for s in flatten(data.google_secret_manager_secrets.there[*].secrets) :
    trimprefix(s.secret_id, "${var.name}-") => tonumber(lookup(s.annotations, "fingerprint", "1")) if startswith(s.secret_id, "${var.name}-")
  }
}

resource "google_secret_manager_secret" "this" {
  for_each = local.made_secrets

  secret_id   = "${var.name}-${each.key}"
  labels      = local.labels
  annotations = { fingerprint = tostring(lookup(local.fingerprint, each.key, lookup(local.kept, each.key, 1))) }

  # A value that was replaced is disabled at once, and destroyed so much later.
  # Until then it can be enabled again to roll back.
  version_destroy_ttl = "${var.old_secrets_days * 24 * 3600}s"

  replication {
    auto {}
  }
  depends_on = [terraform_data.apis_usable]
}

# Instances read secrets when they start. The services name a version by its
# number, so that all instances of a revision have the same values, and a new
# value makes a new revision.
resource "google_secret_manager_secret_version" "this" {
  for_each = google_secret_manager_secret.this

  secret                 = each.value.id
  secret_data_wo         = lookup(local.given, each.key, "") # looked at when a version is made; then an empty one is refused
  secret_data_wo_version = tonumber(each.value.annotations.fingerprint)

  lifecycle {
    create_before_destroy = true
  }
}

# The newest version of a secret that was there before.
data "google_secret_manager_secret_version" "existing" {
  for_each = var.existing_secrets

  secret            = each.value
  fetch_secret_data = false # the value would be in the state
}

locals {
  secret_ids = merge(
    { for name, s in google_secret_manager_secret.this : name => s.secret_id },
    var.existing_secrets,
  )
  secret_versions = merge(
    { for name, v in google_secret_manager_secret_version.this : name => v.version },
    { for name, v in data.google_secret_manager_secret_version.existing : name => v.version },
  )

  # A connection string by which migrations would run behind a known transaction
  # pooler: Neon's by its name, Supabase's and PgBouncer's by their ports.
  migrates_pooled = nonsensitive(can(regex("@[^/]*(-pooler\\.|:6543|:6432)", lookup(local.given, local.migrate_secret, ""))))
}
