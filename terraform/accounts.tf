# Who the parts of the service are. Each has what it needs on the very queue,
# secret or service, and nothing on the project.

resource "google_service_account" "this" {
  for_each = merge(
    {
      api     = "Takes jobs and puts their tasks on the queues"
      worker  = "Draws, stores and records pictures, and sweeps"
      tasks   = "Cloud Tasks and Cloud Scheduler call the worker as this account"
      migrate = "Brings the database to the newest schema"
    },
    { for key, d in local.dashboard : key => "Serves the operators' pages" },
  )

  account_id   = "${var.name}-${each.key}"
  display_name = "${var.name} ${each.key}"
  description  = each.value
  depends_on   = [terraform_data.apis_usable]
}

locals {
  # All create tasks: the API for new jobs, the worker to reschedule, the
  # dashboard for what operators draw again, tell again or resume.
  enqueuers = keys(local.services)
}

# Who creates a task that is delivered as an account must be allowed to act as
# that account.
resource "google_service_account_iam_member" "acts_as_tasks" {
  for_each = toset(local.enqueuers)

  service_account_id = google_service_account.this["tasks"].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.this[each.key].member
}

resource "google_cloud_tasks_queue_iam_member" "enqueuer" {
  for_each = { for pair in setproduct(local.enqueuers, keys(var.lanes)) : join(" ", pair) => pair }

  name     = google_cloud_tasks_queue.lane[each.value[1]].name
  location = var.region
  role     = "roles/cloudtasks.enqueuer"
  member   = google_service_account.this[each.value[0]].member
}

resource "google_cloud_tasks_queue_iam_member" "sweep_enqueuer" {
  for_each = toset(local.enqueuers)

  name     = google_cloud_tasks_queue.sweep.name
  location = var.region
  role     = "roles/cloudtasks.enqueuer"
  member   = google_service_account.this[each.key].member
}

resource "google_cloud_tasks_queue_iam_member" "webhook_enqueuer" {
  for_each = toset(length(local.webhook_secrets) > 0 ? local.enqueuers : [])

  name     = google_cloud_tasks_queue.webhook[0].name
  location = var.region
  role     = "roles/cloudtasks.enqueuer"
  member   = google_service_account.this[each.key].member
}

# The sweep looks up tasks, and doctor the queue's rate.
resource "google_cloud_tasks_queue_iam_member" "viewer" {
  for_each = google_cloud_tasks_queue.lane

  name     = each.value.name
  location = var.region
  role     = "roles/cloudtasks.viewer"
  member   = google_service_account.this["worker"].member
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = merge([
    for account, names in local.secrets_of : { for name in names : "${account} ${name}" => { account = account, name = name } }
  ]...)

  secret_id = "projects/${var.project}/secrets/${local.secret_ids[each.value.name]}"
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this[each.value.account].member
}

# Waits after rights on secrets were granted. Cloud Run refuses a revision whose
# account it does not yet see to have them.
resource "terraform_data" "rights_felt" {
  triggers_replace = { for key, r in google_secret_manager_secret_iam_member.reader : key => r.id }

  provisioner "local-exec" {
    interpreter = ["sh", "-c"]
    command     = "sleep ${var.settle_seconds}"
  }
}

resource "google_cloud_run_v2_service_iam_member" "worker_invoker" {
  name     = google_cloud_run_v2_service.this["worker"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.this["tasks"].member
}

resource "google_cloud_run_v2_service_iam_member" "api_public" {
  count = var.api.public && !var.api.invoker_iam_disabled ? 1 : 0

  name     = google_cloud_run_v2_service.this["api"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = "allUsers" # the service asks for an API key itself
}
