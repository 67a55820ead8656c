# What Google would answer, as far as the configuration builds on it.

mock_data "google_project" {
  defaults = { number = "123456789012" }
}

mock_data "google_artifact_registry_docker_image" {
  defaults = {
    self_link = "europe-west1-docker.pkg.dev/my-project/ai-worker/ai-worker@sha256:1111111111111111111111111111111111111111111111111111111111111111"
  }
}

mock_resource "google_service_account" {
  defaults = {
    name   = "projects/my-project/serviceAccounts/account@my-project.iam.gserviceaccount.com"
    email  = "account@my-project.iam.gserviceaccount.com"
    member = "serviceAccount:account@my-project.iam.gserviceaccount.com"
  }
}

mock_resource "google_secret_manager_secret_version" {
  defaults = { version = "1" }
}

mock_resource "google_cloud_tasks_queue" {
  defaults = { id = "projects/my-project/locations/europe-west1/queues/queue" }
}

mock_resource "google_monitoring_dashboard" {
  defaults = { id = "projects/123456789012/dashboards/board" }
}

# All secrets have their values already.
mock_data "google_secret_manager_secrets" {
  defaults = {
    secrets = [
      { secret_id = "ai-worker-database-url" },
      { secret_id = "ai-worker-migrate-database-url" },
      { secret_id = "ai-worker-redis-url" },
      { secret_id = "ai-worker-r2-credentials" },
      { secret_id = "ai-worker-api-keys" },
      { secret_id = "ai-worker-webhook-secret" },
      { secret_id = "ai-worker-budget-webhook-secret" },
      { secret_id = "ai-worker-dashboard-users" },
      { secret_id = "ai-worker-gemini-api-key-default" },
      { secret_id = "ai-worker-gemini-api-key-a" },
      { secret_id = "ai-worker-gemini-api-key-b" },
      { secret_id = "ai-worker-gemini-api-key-pro-4k" },
      { secret_id = "ai-worker-gemini-api-key-second" },
    ]
  }
}
