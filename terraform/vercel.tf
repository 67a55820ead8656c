# A Vercel function proves who it is with the token that Vercel gives it, so
# that no key of a service account has to be stored there. Only an API that is
# not public needs this.

locals {
  vercel = var.vercel == null ? {} : { vercel = var.vercel }
}

resource "google_service_account" "vercel" {
  for_each = local.vercel

  account_id   = "${var.name}-vercel"
  display_name = "${var.name} vercel"
  description  = "The Vercel project ${each.value.team}/${each.value.project} calls the API as this account"
  depends_on   = [terraform_data.apis_usable]
}

resource "google_iam_workload_identity_pool" "vercel" {
  for_each = local.vercel

  workload_identity_pool_id = "${var.name}-vercel"
  display_name              = "${var.name} vercel"
  depends_on                = [terraform_data.apis_usable]
}

resource "google_iam_workload_identity_pool_provider" "vercel" {
  for_each = local.vercel

  workload_identity_pool_id          = google_iam_workload_identity_pool.vercel[each.key].workload_identity_pool_id
  workload_identity_pool_provider_id = "vercel"
  attribute_mapping                  = { "google.subject" = "assertion.sub" }

  oidc {
    issuer_uri        = "https://oidc.vercel.com/${each.value.team}"
    allowed_audiences = ["https://vercel.com/${each.value.team}"]
  }
}

resource "google_service_account_iam_member" "vercel" {
  for_each = var.vercel == null ? toset([]) : toset(var.vercel.environments)

  service_account_id = google_service_account.vercel["vercel"].name
  role               = "roles/iam.workloadIdentityUser"
  member = join("", [
    "principal://iam.googleapis.com/", google_iam_workload_identity_pool.vercel["vercel"].name,
    "/subject/owner:${var.vercel.team}:project:${var.vercel.project}:environment:${each.key}",
  ])
}

resource "google_cloud_run_v2_service_iam_member" "vercel" {
  for_each = local.vercel

  name     = google_cloud_run_v2_service.this["api"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.vercel[each.key].member
}
