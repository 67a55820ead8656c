# Who reaches the operators' pages (services.tf has the service).

locals {
  dashboard  = var.dashboard == null ? {} : { dashboard = var.dashboard }
  behind_iap = try(var.dashboard.iap, null) != null
}

# With passwords, everybody may reach the page that asks for one. Behind Google's
# proxy only the proxy may, and lets those in who have a role.
resource "google_cloud_run_v2_service_iam_member" "dashboard" {
  for_each = { for key, d in local.dashboard : key => d if !d.invoker_iam_disabled }

  name     = google_cloud_run_v2_service.this[each.key].name
  location = var.region
  role     = "roles/run.invoker"
  member   = local.behind_iap ? "serviceAccount:service-${data.google_project.this.number}@gcp-sa-iap.iam.gserviceaccount.com" : "allUsers"
}

resource "google_iap_web_cloud_run_service_iam_member" "operator" {
  for_each = local.behind_iap ? var.dashboard.iap : {}

  location               = var.region
  cloud_run_service_name = google_cloud_run_v2_service.this["dashboard"].name
  role                   = "roles/iap.httpsResourceAccessor"
  member                 = strcontains(each.key, "@") ? "user:${each.key}" : "domain:${each.key}"
  depends_on             = [terraform_data.apis_usable]
}
