output "api_url" {
  description = "Where callers ask for pictures."
  value       = local.api_url
}

output "worker_url" {
  description = "Where Cloud Tasks delivers."
  value       = local.worker_url
}

output "queues" {
  description = "Each lane's queue."
  value       = { for name, q in google_cloud_tasks_queue.lane : name => q.id }
}

locals {
  # Of cloudbuild.yaml.
  substitutions = merge({
    _REGION         = var.region
    _REPOSITORY     = local.repository
    _WORKER_SERVICE = google_cloud_run_v2_service.this["worker"].name
    _API_SERVICE    = google_cloud_run_v2_service.this["api"].name
    _MIGRATE_JOB    = google_cloud_run_v2_job.migrate.name
    _DOCTOR_JOB     = google_cloud_run_v2_job.doctor.name
    _QUEUE          = google_cloud_tasks_queue.lane[keys(var.lanes)[0]].name
    _BUILD_ACCOUNT  = split("@", coalesce(var.build_account, "${local.repository}-build@"))[0]
  }, { for key in keys(local.dashboard) : "_DASHBOARD_SERVICE" => google_cloud_run_v2_service.this[key].name })
}

output "next" {
  description = "What to do next, ready to paste."
  value = {
    ask_for_a_picture = join(" ", [
      "curl -s ${local.api_url}/api/generate-images -H 'Authorization: Bearer YOUR_KEY'",
      "-H 'Content-Type: application/json' -H 'Prefer: wait=60' -d '{\"prompt\": \"A lighthouse at dusk\"}'",
    ])
    check_everything = "gcloud run jobs execute ${google_cloud_run_v2_job.doctor.name} --project=${var.project} --region=${var.region} --wait"
    read_the_log     = "gcloud logging read 'resource.labels.service_name=~\"^${var.name}(-api)?$\"' --project=${var.project} --limit=50"
    see_the_lanes    = "curl -s ${local.api_url}/health/lanes"
    deploy = join(" ", [
      "gcloud builds submit --project=${var.project} --config=cloudbuild.yaml",
      "--gcs-source-staging-dir=gs://${var.project}-${local.repository}-source/source",
      "--substitutions=${join(",", [for name, value in local.substitutions : "${name}=${value}"])}",
    ])
    stop_a_queue   = "gcloud tasks queues pause ${google_cloud_tasks_queue.lane[keys(var.lanes)[0]].name} --project=${var.project} --location=${var.region}"
    open_dashboard = "https://console.cloud.google.com/monitoring/dashboards/builder/${reverse(split("/", google_monitoring_dashboard.this.id))[0]}?project=${var.project}"
  }
}

output "dashboard_url" {
  description = "Where operators look, if `dashboard` is set."
  value       = var.dashboard == null ? null : "https://${var.name}-dashboard${local.run_suffix}/admin/queues"
}

output "vercel" {
  description = "Settings of the Vercel project, if `vercel` is set."
  value = var.vercel == null ? null : {
    GCP_SERVICE_ACCOUNT_EMAIL = google_service_account.vercel["vercel"].email
    GCP_AUDIENCE              = "//iam.googleapis.com/${google_iam_workload_identity_pool_provider.vercel["vercel"].name}"
    AI_WORKER_URL             = local.api_url
  }
}
