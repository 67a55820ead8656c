# What Cloud Build needs to deploy a new image: the services, their jobs, and
# the queues' rates, and to act as the accounts that they run as.

locals {
  build = var.build_account == null ? {} : { build = "serviceAccount:${var.build_account}" }
}

resource "google_cloud_run_v2_service_iam_member" "build" {
  for_each = {
    for pair in setproduct(keys(local.build), keys(local.services), ["roles/run.developer", "roles/run.invoker"]) :
    "${pair[1]} ${pair[2]}" => { service = pair[1], role = pair[2] }
  }

  name     = google_cloud_run_v2_service.this[each.value.service].name
  location = var.region
  role     = each.value.role # to invoke them is for the smoke test, which gets no further than /health
  member   = local.build["build"]
}

resource "google_cloud_run_v2_job_iam_member" "build" {
  for_each = {
    for pair in setproduct(keys(local.build), ["migrate", "doctor"]) : pair[1] => pair[1]
  }

  name     = { migrate = google_cloud_run_v2_job.migrate.name, doctor = google_cloud_run_v2_job.doctor.name }[each.key]
  location = var.region
  role     = "roles/run.developer"
  member   = local.build["build"]
}

resource "google_service_account_iam_member" "build_acts_as" {
  for_each = {
    for pair in setproduct(keys(local.build), concat(keys(local.services), ["migrate"])) : pair[1] => pair[1]
  }

  service_account_id = google_service_account.this[each.key].name
  role               = "roles/iam.serviceAccountUser"
  member             = local.build["build"]
}

resource "google_cloud_tasks_queue_iam_member" "build" {
  for_each = var.build_account == null ? {} : google_cloud_tasks_queue.lane

  name     = each.value.name
  location = var.region
  role     = "roles/cloudtasks.queueAdmin"
  member   = local.build["build"]
}

# A deploy and a roll-back list services and revisions, and a canary is judged by
# its log. Both can be allowed on the project only.
resource "google_project_iam_member" "build" {
  for_each = toset(var.build_account == null ? [] : ["roles/run.viewer", "roles/logging.viewer"])

  project = var.project
  role    = each.key
  member  = local.build["build"]
}

# A roll-back looks whether the versions of secrets are still there. It cannot
# read them.
resource "google_secret_manager_secret_iam_member" "build" {
  for_each = var.build_account == null ? {} : google_secret_manager_secret.this

  secret_id = each.value.id
  role      = "roles/secretmanager.viewer"
  member    = local.build["build"]
}
