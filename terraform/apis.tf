resource "google_project_service" "this" {
  for_each = toset(concat([
    "artifactregistry.googleapis.com",
    "billingbudgets.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "cloudscheduler.googleapis.com",
    "cloudtasks.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "sts.googleapis.com",
  ], local.behind_iap ? ["iap.googleapis.com"] : []))

  service            = each.key
  disable_on_destroy = false # something else in the project may use it
}

# Waits after an API is enabled. Google refuses requests to it for a minute or
# so (403), and the provider does not try them again.
resource "terraform_data" "apis_usable" {
  triggers_replace = sort(keys(google_project_service.this))

  provisioner "local-exec" {
    interpreter = ["sh", "-c"]
    command     = "sleep ${var.settle_seconds}"
  }
}
