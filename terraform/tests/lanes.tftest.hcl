# One lane, several, and one that is stopped.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project = "my-project"
  r2      = { account_id = "0123456789abcdef0123456789abcdef", bucket = "pictures" }

  settle_seconds = 0
}

run "one_lane_in_the_plain_settings" {
  assert {
    condition     = google_cloud_tasks_queue.lane["default"].rate_limits[0].max_dispatches_per_second == 1
    error_message = "The queue's rate is not rpm ÷ 60."
  }
  assert {
    condition     = google_cloud_tasks_queue.lane["default"].rate_limits[0].max_concurrent_dispatches == 25
    error_message = "The queue's concurrency is not the lane's."
  }
  assert {
    condition     = google_cloud_tasks_queue.lane["default"].name == "ai-worker-default-v1"
    error_message = "The queue's name has not its version in it."
  }
  assert {
    condition     = google_cloud_tasks_queue.lane["default"].retry_config[0].max_attempts == -1
    error_message = "A queue that gives up deletes tasks."
  }
  assert {
    condition = toset([for e in google_cloud_run_v2_service.this["worker"].template[0].containers[0].env : "${e.name}=${e.value}" if contains(["GEMINI_RPM", "WORKER_CONCURRENCY", "LANES", "ROLE", "WORKER_URL"], e.name)]) == toset([
      "GEMINI_RPM=60", "WORKER_CONCURRENCY=25", "ROLE=worker", "WORKER_URL=https://ai-worker-123456789012.europe-west1.run.app",
    ])
    error_message = "The worker's plain settings are not the lane's."
  }
  assert {
    condition     = google_cloud_run_v2_service.this["worker"].template[0].containers[0].resources[0].cpu_idle && google_cloud_run_v2_service.this["worker"].template[0].scaling[0].min_instance_count == 0
    error_message = "The worker costs something while idle."
  }
  assert {
    condition     = toset([for m in google_cloud_run_v2_service_iam_member.worker_invoker[*] : m.role]) == toset(["roles/run.invoker"]) && length(google_cloud_run_v2_service_iam_member.build) == 0
    error_message = "Somebody besides Cloud Tasks may call the worker."
  }
  # Two tries of half an hour each.
  assert {
    condition     = google_cloud_run_v2_job.migrate.template[0].template[0].timeout == "1800s" && google_cloud_run_v2_job.migrate.template[0].template[0].max_retries == 1 && google_cloud_run_v2_job.migrate.timeouts.create == "70m" && google_cloud_run_v2_job.migrate.timeouts.update == "70m"
    error_message = "An apply gives up while migrations still run."
  }
  assert {
    condition     = endswith(google_cloud_run_v2_service.this["worker"].template[0].containers[0].image, "@sha256:1111111111111111111111111111111111111111111111111111111111111111")
    error_message = "Without an image, it is not the one tagged live."
  }
}

run "three_lanes" {
  variables {
    worker = { max_instances = 12 }
    lanes = {
      a      = { rpm = 60, concurrency = 25, project = "p1", billing_account = "x" }
      b      = { rpm = 1000, concurrency = 417, project = "p2", billing_account = "x" }
      pro-4k = { rpm = 10, concurrency = 10, project = "p1", model = "gemini-3-pro-image", queue_version = 2 }
    }
  }
  assert {
    condition     = { for name, q in google_cloud_tasks_queue.lane : q.name => q.rate_limits[0].max_concurrent_dispatches } == { ai-worker-a-v1 = 25, ai-worker-b-v1 = 417, ai-worker-pro-4k-v2 = 10 }
    error_message = "Not each lane has its queue."
  }
  assert {
    condition     = abs(google_cloud_tasks_queue.lane["b"].rate_limits[0].max_dispatches_per_second - 16.6666666) < 0.0001
    error_message = "The rate is not rpm ÷ 60."
  }
  assert {
    condition     = [for l in jsondecode(one([for e in google_cloud_run_v2_service.this["worker"].template[0].containers[0].env : e.value if e.name == "LANES"])) : "${l.name} ${l.model} ${l.rpm} ${l.api_key_env}"] == ["a gemini-nano-banana-2.1 60 GEMINI_API_KEY_A", "b gemini-nano-banana-2.1 1000 GEMINI_API_KEY_B", "pro-4k gemini-3-pro-image 10 GEMINI_API_KEY_PRO_4K"]
    error_message = "LANES does not hold the lanes."
  }
  assert {
    condition     = alltrue([for lane in ["a", "b", "pro-4k"] : contains(keys(google_secret_manager_secret.this), "gemini-api-key-${lane}")])
    error_message = "Not each lane has a secret for its key."
  }
  assert {
    condition     = length([for key in keys(google_secret_manager_secret_iam_member.reader) : key if startswith(key, "api gemini")]) == 0
    error_message = "The API can read Gemini's keys, which it has no use for."
  }
  assert {
    condition     = length(google_cloud_tasks_queue_iam_member.enqueuer) == 6
    error_message = "Not both services can put tasks on every queue."
  }
}

run "a_paused_lane" {
  variables {
    lanes = {
      a = { rpm = 60, concurrency = 25, project = "p1" }
      b = { rpm = 60, concurrency = 25, project = "p2", paused = true }
    }
  }
  assert {
    condition     = { for name, q in google_cloud_tasks_queue.lane : name => q.desired_state } == { a = "RUNNING", b = "PAUSED" }
    error_message = "Not the paused lane's queue is paused."
  }
  assert {
    condition     = alltrue([for s in [google_cloud_run_v2_service.this["worker"], google_cloud_run_v2_service.this["api"]] : { for l in jsondecode(one([for e in s.template[0].containers[0].env : e.value if e.name == "LANES"])) : l.name => l.paused } == { a = false, b = true }])
    error_message = "The services do not know which lane is paused."
  }
}

# The plain settings cannot say these.
run "one_lane_that_is_paused_and_answers_for_an_older_model" {
  variables {
    lanes = {
      default = { rpm = 60, concurrency = 25, model = "gemini-3-pro-image", also_serves = ["gemini-2-image"], paused = true }
    }
  }
  assert {
    condition     = [for l in jsondecode(one([for e in google_cloud_run_v2_service.this["worker"].template[0].containers[0].env : e.value if e.name == "LANES"])) : "${l.name} ${l.model} ${join(",", l.also_serves)} ${l.paused} ${l.api_key_env}"] == ["default gemini-3-pro-image gemini-2-image true GEMINI_API_KEY"]
    error_message = "LANES does not say what the lane serves, or that it is paused."
  }
}

run "deployed_by_terraform" {
  variables {
    image = "europe-west1-docker.pkg.dev/my-project/ai-worker/ai-worker@sha256:2222222222222222222222222222222222222222222222222222222222222222"
  }
  assert {
    condition     = toset([google_cloud_run_v2_service.this["worker"].template[0].containers[0].image, google_cloud_run_v2_service.this["api"].template[0].containers[0].image, google_cloud_run_v2_job.migrate.template[0].template[0].containers[0].image, google_cloud_run_v2_job.doctor.template[0].template[0].containers[0].image]) == toset([var.image])
    error_message = "Something runs another image."
  }
}

run "a_private_api_for_vercel" {
  variables {
    api            = { public = false }
    vercel         = { team = "acme", project = "shop", environments = ["production", "preview"] }
    build_account  = "ai-worker-build@my-project.iam.gserviceaccount.com"
    alert_emails   = ["oncall@example.com"]
    billing_budget = { billing_account = "012345-6789AB-CDEF01", monthly_amount = 100 }
  }
  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.api_public) == 0
    error_message = "Anybody can call an API that is not public."
  }
  assert {
    condition     = alltrue([for env, m in google_service_account_iam_member.vercel : endswith(m.member, "/subject/owner:acme:project:shop:environment:${env}")])
    error_message = "Another Vercel project could call the API."
  }
}

run "callers_that_follow_their_jobs" {
  variables {
    api = { cors_origins = ["https://app.example.com", "http://localhost:3000"] }
  }
  assert {
    condition     = [for p in google_cloud_run_v2_service.this["api"].template[0].containers[0].ports : "${p.name} ${p.container_port}"] == ["h2c 8080"]
    error_message = "Cloud Run does not pass on that a caller of the API has gone."
  }
  assert {
    condition     = alltrue([for p in google_cloud_run_v2_service.this["worker"].template[0].containers[0].ports : p.name != "h2c"])
    error_message = "The worker speaks HTTP/2, which deliveries have no use for."
  }
  assert {
    condition     = [for e in google_cloud_run_v2_service.this["api"].template[0].containers[0].env : e.value if e.name == "CORS_ORIGINS"] == ["https://app.example.com,http://localhost:3000"]
    error_message = "The API does not get the origins."
  }
  assert {
    condition     = length([for e in google_cloud_run_v2_service.this["worker"].template[0].containers[0].env : e if e.name == "CORS_ORIGINS"]) == 0
    error_message = "The worker gets a setting of the API's."
  }
  assert {
    condition     = google_cloud_run_v2_service.this["api"].template[0].timeout == "900s"
    error_message = "Cloud Run cuts streams."
  }
}

run "without_webhooks" {
  assert {
    condition     = length(google_cloud_tasks_queue.webhook) + length(google_cloud_tasks_queue_iam_member.webhook_enqueuer) == 0 && !contains(keys(google_secret_manager_secret.this), "webhook-secret")
    error_message = "What webhooks need is there without webhooks."
  }
}

run "with_webhooks" {
  variables {
    webhooks = true
  }
  assert {
    condition     = google_cloud_tasks_queue.webhook[0].retry_config[0].max_attempts == -1 && google_cloud_tasks_queue.webhook[0].name == "ai-worker-webhook-v1"
    error_message = "A queue that gives up deletes tasks."
  }
  assert {
    condition     = toset(keys(google_cloud_tasks_queue_iam_member.webhook_enqueuer)) == toset(["api", "worker"])
    error_message = "Not both services can put tasks on the queue for webhooks."
  }
  assert {
    condition     = alltrue([for service in ["api", "worker"] : contains(keys(google_secret_manager_secret_iam_member.reader), "${service} webhook-secret")])
    error_message = "Not both services can read the secret."
  }
}

# All services must know who is told of budgets, and that is not the secret of jobs.
run "budgets_are_told_of_without_webhooks" {
  variables {
    budget_webhook = "https://hooks.example.com/budgets"
    dashboard      = {}
  }
  assert {
    condition     = alltrue([for s in google_cloud_run_v2_service.this : length(setsubtract(["BUDGET_WEBHOOK", "BUDGET_WEBHOOK_SECRET", "WEBHOOK_QUEUE"], [for e in s.template[0].containers[0].env : e.name])) == 0])
    error_message = "A service does not know who is told of budgets."
  }
  assert {
    condition     = alltrue([for service in ["api", "worker", "dashboard"] : contains(keys(google_secret_manager_secret_iam_member.reader), "${service} budget-webhook-secret") && contains(keys(google_cloud_tasks_queue_iam_member.webhook_enqueuer), service)]) && !contains(keys(google_secret_manager_secret.this), "webhook-secret")
    error_message = "A service cannot tell of budgets, or there is a secret that nobody asked for."
  }
}

run "tenants_with_limits" {
  variables {
    tenants = { web = { weight = 2, max_cost_usd = 5 }, batch = { max_waiting_pictures = 500 } }
  }
  assert {
    condition = [for e in google_cloud_run_v2_service.this["api"].template[0].containers[0].env : jsondecode(e.value) if e.name == "TENANTS"] == [
      { web = { weight = 2, max_cost_usd = 5 }, batch = { max_waiting_pictures = 500 } }
    ]
    error_message = "The API does not get the limits, or gets some that are not set."
  }
}

run "without_a_dashboard" {
  assert {
    condition     = !contains(keys(google_cloud_run_v2_service.this), "dashboard") && !contains(keys(google_service_account.this), "dashboard") && output.dashboard_url == null
    error_message = "What a dashboard needs is there without one."
  }
}

run "a_dashboard_with_passwords" {
  variables {
    dashboard = {}
  }
  assert {
    condition     = toset([for key in keys(google_secret_manager_secret_iam_member.reader) : key if startswith(key, "dashboard ")]) == toset(["dashboard database-url", "dashboard redis-url", "dashboard r2-credentials", "dashboard dashboard-users"])
    error_message = "The dashboard reads more secrets than it needs, or fewer."
  }
  assert {
    condition     = google_cloud_run_v2_service_iam_member.dashboard["dashboard"].member == "allUsers" && !google_cloud_run_v2_service.this["dashboard"].iap_enabled
    error_message = "Nobody reaches the page that asks for a password."
  }
  assert {
    condition     = google_cloud_run_v2_service.this["dashboard"].template[0].scaling[0].min_instance_count == 0
    error_message = "The dashboard costs something while nobody looks."
  }
}

run "a_dashboard_behind_googles_proxy" {
  variables {
    dashboard     = { iap = { "ada@example.com" = "admin", "example.com" = "viewer" } }
    build_account = "ai-worker-build@my-project.iam.gserviceaccount.com"
  }
  assert {
    condition     = google_cloud_run_v2_service_iam_member.dashboard["dashboard"].member == "serviceAccount:service-123456789012@gcp-sa-iap.iam.gserviceaccount.com" && google_cloud_run_v2_service.this["dashboard"].iap_enabled
    error_message = "Somebody gets past the proxy."
  }
  assert {
    condition     = toset([for m in google_iap_web_cloud_run_service_iam_member.operator : m.member]) == toset(["user:ada@example.com", "domain:example.com"])
    error_message = "The proxy lets others in than those with a role."
  }
  assert {
    condition     = !contains(keys(google_secret_manager_secret.this), "dashboard-users") && contains(keys(google_project_service.this), "iap.googleapis.com")
    error_message = "It asks for passwords, or the proxy's API is not enabled."
  }
  assert {
    condition     = contains(keys(google_cloud_run_v2_service_iam_member.build), "dashboard roles/run.developer") && contains(keys(google_service_account_iam_member.build_acts_as), "dashboard") && strcontains(output.next.deploy, ",_DASHBOARD_SERVICE=ai-worker-dashboard,")
    error_message = "Cloud Build cannot deploy it."
  }
}

run "an_organisation_that_forbids_allusers" {
  variables {
    api       = { invoker_iam_disabled = true }
    dashboard = { invoker_iam_disabled = true }
  }
  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.api_public) + length(google_cloud_run_v2_service_iam_member.dashboard) == 0 && google_cloud_run_v2_service.this["api"].invoker_iam_disabled && google_cloud_run_v2_service.this["dashboard"].invoker_iam_disabled
    error_message = "It gives a right that the organisation refuses, or nobody reaches the services."
  }
}

# Supabase's session pooler holds a session's lock.
run "migrations_behind_a_session_pooler" {
  variables {
    secrets_file = "./tests/secrets/direct.json"
  }
  assert {
    condition     = google_secret_manager_secret.this["database-url"].annotations.fingerprint != "1" && google_secret_manager_secret.this["redis-url"].annotations.fingerprint == "1"
    error_message = "A value has no fingerprint, or one that was not given changed."
  }
}

run "a_worker_for_the_project_only" {
  variables {
    worker = { internal = true }
  }
  assert {
    condition     = google_cloud_run_v2_service.this["worker"].ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY" && google_cloud_run_v2_service.this["api"].ingress != "INGRESS_TRAFFIC_INTERNAL_ONLY" && contains(google_cloud_run_v2_job.doctor.template[0].template[0].containers[0].args, "--setup")
    error_message = "The worker is reached from outside, the API is not, or doctor looks for what it does not reach."
  }
}
