# The sweep that comes whatever happens; see also the queue for sweeps.
resource "google_cloud_scheduler_job" "sweep" {
  name             = "${var.name}-sweep"
  region           = var.region
  description      = "Has the worker mend what crashes left behind"
  schedule         = var.sweep_schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "180s" # the sweep begins nothing after 150 s

  http_target {
    http_method = "POST"
    uri         = "${local.worker_url}/tasks/sweep"

    oidc_token {
      service_account_email = google_service_account.this["tasks"].email
      audience              = local.worker_url
    }
  }

  retry_config {
    retry_count = 1 # the next sweep finds the same
  }

  depends_on = [terraform_data.apis_usable, google_cloud_run_v2_service_iam_member.worker_invoker]
}
