# What is refused, before anything is made.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  project = "my-project"
  r2      = { account_id = "0123456789abcdef0123456789abcdef", bucket = "pictures" }
}

run "no_lane" {
  command = plan
  variables {
    lanes = {}
  }
  expect_failures = [var.lanes]
}

run "rpm_of_zero" {
  command = plan
  variables {
    lanes = { a = { rpm = 0, concurrency = 25 } }
  }
  expect_failures = [var.lanes]
}

run "rpm_below_zero" {
  command = plan
  variables {
    lanes = { a = { rpm = -60, concurrency = 25 } }
  }
  expect_failures = [var.lanes]
}

run "rpm_above_what_a_queue_can_do" {
  command = plan
  variables {
    lanes  = { a = { rpm = 30001, concurrency = 5000 } }
    worker = { max_instances = 200 }
  }
  expect_failures = [var.lanes]
}

run "concurrency_too_small_for_the_quota" {
  command = plan
  variables {
    lanes = { a = { rpm = 60, concurrency = 24 } }
  }
  expect_failures = [var.lanes]
}

run "concurrency_too_small_for_slow_pictures" {
  command = plan
  variables {
    lanes               = { a = { rpm = 60, concurrency = 25 } }
    seconds_per_picture = 40
  }
  expect_failures = [var.lanes]
}

run "lane_name_that_no_queue_can_have" {
  command = plan
  variables {
    lanes = { "Über" = { rpm = 60, concurrency = 25 } }
  }
  expect_failures = [var.lanes]
}

run "queue_name_too_long" {
  command = plan
  variables {
    name  = "picture-service-prod"
    lanes = { "a-name-of-forty-characters-is-still-good" = { rpm = 60, concurrency = 25 } }
  }
  expect_failures = [var.lanes]
}

run "two_keys_of_one_project" {
  command = plan
  variables {
    lanes = {
      a = { rpm = 60, concurrency = 25, project = "p" }
      b = { rpm = 60, concurrency = 25, project = "p", model = "gemini-nano-banana-2.1" }
    }
  }
  expect_failures = [var.lanes]
}

run "several_lanes_without_their_projects" {
  command = plan
  variables {
    lanes = {
      a = { rpm = 60, concurrency = 25, project = "p" }
      b = { rpm = 60, concurrency = 25 }
    }
  }
  expect_failures = [var.lanes]
}

run "also_serves_with_its_own_model" {
  command = plan
  variables {
    lanes = { a = { rpm = 60, concurrency = 25, also_serves = ["gemini-nano-banana-2.1"] } }
  }
  expect_failures = [var.lanes]
}

run "queue_version_of_zero" {
  command = plan
  variables {
    lanes = { a = { rpm = 60, concurrency = 25, queue_version = 0 } }
  }
  expect_failures = [var.lanes]
}

run "sweep_queue_version_of_zero" {
  command = plan
  variables {
    sweep_queue_version = 0
  }
  expect_failures = [var.sweep_queue_version]
}

run "webhook_queue_version_of_zero" {
  command = plan
  variables {
    webhook_queue_version = 0
  }
  expect_failures = [var.webhook_queue_version]
}

run "image_by_tag" {
  command = plan
  variables {
    image = "europe-west1-docker.pkg.dev/my-project/ai-worker/ai-worker:latest"
  }
  expect_failures = [var.image]
}

run "more_in_flight_than_the_worker_takes" {
  command = plan
  variables {
    lanes = { a = { rpm = 900, concurrency = 401 } }
  }
  expect_failures = [terraform_data.checked]
}

run "too_little_memory" {
  command = plan
  variables {
    worker = { concurrency = 80, memory_mib = 1024 }
  }
  expect_failures = [var.worker]
}

run "half_a_cpu" {
  command = plan
  variables {
    worker = { cpu = 0.5 }
  }
  expect_failures = [var.worker]
}

run "account_that_is_not_cloudflares" {
  command = plan
  variables {
    r2 = { account_id = "my-account", bucket = "pictures" }
  }
  expect_failures = [var.r2]
}

run "public_url_with_a_path" {
  command = plan
  variables {
    r2 = { account_id = "0123456789abcdef0123456789abcdef", bucket = "pictures", public_url = "https://pictures.example.com/a" }
  }
  expect_failures = [var.r2]
}

run "name_too_long_for_service_accounts" {
  command = plan
  variables {
    name = "picture-service-production"
  }
  expect_failures = [var.name]
}

run "seconds_per_picture_of_zero" {
  command = plan
  variables {
    seconds_per_picture = 0
  }
  expect_failures = [var.seconds_per_picture]
}

run "retention_that_is_not_whole" {
  command = plan
  variables {
    retention_days = 1.5
  }
  expect_failures = [var.retention_days]
}

run "fewer_waiting_than_one_job_has" {
  command = plan
  variables {
    max_waiting_pictures = 15
  }
  expect_failures = [var.max_waiting_pictures]
}

run "tenant_without_a_turn" {
  command = plan
  variables {
    tenants = { web = { weight = 0 } }
  }
  expect_failures = [var.tenants]
}

run "tenant_without_room_for_a_job" {
  command = plan
  variables {
    tenants = { web = { max_waiting_pictures = 15 } }
  }
  expect_failures = [var.tenants]
}

run "tenant_without_money" {
  command = plan
  variables {
    tenants = { web = { max_cost_usd = 0 } }
  }
  expect_failures = [var.tenants]
}

run "tenant_with_a_budget_of_a_week" {
  command = plan
  variables {
    tenants = { web = { budget = { usd = 5, per = "week" } } }
  }
  expect_failures = [var.tenants]
}

run "budget_of_nothing" {
  command = plan
  variables {
    budget = { usd = 0, per = "day" }
  }
  expect_failures = [var.budget]
}

run "budget_that_does_nothing_at_its_limit" {
  command = plan
  variables {
    budget = { usd = 5, per = "day", at_limit = "wait" }
  }
  expect_failures = [var.budget]
}

run "file_of_secrets_that_is_not_there" {
  command = plan
  variables {
    secrets_file = "no-such-file.json"
  }
  expect_failures = [var.secrets_file]
}

run "file_of_secrets_that_is_no_json" {
  command = plan
  variables {
    secrets_file = "versions.tf"
  }
  expect_failures = [var.secrets_file]
}

run "existing_secret_that_nothing_reads" {
  command = plan
  variables {
    existing_secrets = { gemini-api-key-defalt = "gemini-api-key" }
  }
  expect_failures = [var.existing_secrets]
}

run "existing_secret_by_its_path" {
  command = plan
  variables {
    existing_secrets = { redis-url = "projects/my-project/secrets/redis-url" }
  }
  expect_failures = [var.existing_secrets]
}

run "old_secrets_for_no_day" {
  command = plan
  variables {
    old_secrets_days = 0
  }
  expect_failures = [var.old_secrets_days]
}

run "settled_at_once_and_a_half" {
  command = plan
  variables {
    settle_seconds = 0.5
  }
  expect_failures = [var.settle_seconds]
}

run "dashboard_for_nobody" {
  command = plan
  variables {
    dashboard = { iap = {} }
  }
  expect_failures = [var.dashboard]
}

run "dashboard_with_a_role_that_is_none" {
  command = plan
  variables {
    dashboard = { iap = { "ada@example.com" = "owner" } }
  }
  expect_failures = [var.dashboard]
}

run "dashboard_around_its_proxy" {
  command = plan
  variables {
    dashboard = { iap = { "ada@example.com" = "admin" }, invoker_iam_disabled = true }
  }
  expect_failures = [var.dashboard]
}

run "dashboard_with_pictures_for_all" {
  command = plan
  variables {
    dashboard = { pictures = "everybody" }
  }
  expect_failures = [var.dashboard]
}

run "alert_at_a_percentage_that_is_never_said" {
  command = plan
  variables {
    alerts = { budget_percent = 90 }
  }
  expect_failures = [var.alerts]
}

run "build_account_that_is_none" {
  command = plan
  variables {
    build_account = "me@example.com"
  }
  expect_failures = [var.build_account]
}

run "billing_budget_without_an_account" {
  command = plan
  variables {
    billing_budget = { billing_account = "mine", monthly_amount = 10 }
  }
  expect_failures = [var.billing_budget]
}

run "billing_budget_of_cents" {
  command = plan
  variables {
    billing_budget = { billing_account = "012345-6789AB-CDEF01", monthly_amount = 0.5 }
  }
  expect_failures = [var.billing_budget]
}

run "api_url_without_https" {
  command = plan
  variables {
    api = { url = "http://api.example.com" }
  }
  expect_failures = [var.api]
}

run "api_concurrency_above_cloud_runs" {
  command = plan
  variables {
    api = { concurrency = 1001 }
  }
  expect_failures = [var.api]
}

run "any_origin" {
  command = plan
  variables {
    api = { cors_origins = ["*"] }
  }
  expect_failures = [var.api]
}

run "origin_without_https" {
  command = plan
  variables {
    api = { cors_origins = ["http://app.example.com"] }
  }
  expect_failures = [var.api]
}

run "origin_with_a_path" {
  command = plan
  variables {
    api = { cors_origins = ["https://app.example.com/"] }
  }
  expect_failures = [var.api]
}

run "origin_as_no_browser_writes_it" {
  command = plan
  variables {
    api = { cors_origins = ["https://app.example.com:443"] }
  }
  expect_failures = [var.api]
}

run "secrets_without_salt" {
  command = plan
  variables {
    secrets_file = "./tests/secrets/without-salt.json"
  }
  expect_failures = [terraform_data.checked]
}

run "more_tenants_than_a_setting_takes" {
  command = plan
  variables {
    tenants = { for i in range(600) : "tenant-${i}" => { budget = { usd = 100, per = "month" } } }
  }
  expect_failures = [terraform_data.checked]
}

run "secret_that_nothing_reads" {
  command = plan
  variables {
    secrets_file = "./tests/secrets/unknown.json"
  }
  expect_failures = [terraform_data.checked]
}

run "secret_without_a_value" {
  command = plan
  variables {
    secrets_file = "./tests/secrets/empty.json"
  }
  expect_failures = [terraform_data.checked]
}

run "migrations_behind_neons_pooler" {
  command = plan
  variables {
    secrets_file = "./tests/secrets/pooled-neon.json"
  }
  expect_failures = [terraform_data.checked]
}

run "migrations_behind_supabases_pooler" {
  command = plan
  variables {
    secrets_file = "./tests/secrets/pooled-supabase.json"
  }
  expect_failures = [terraform_data.checked]
}

run "secret_that_is_given_and_is_there" {
  command = plan
  variables {
    secrets_file     = "./tests/secrets/direct.json"
    existing_secrets = { database-url = "database-url" }
  }
  expect_failures = [terraform_data.checked]
}

run "budget_webhook_without_https" {
  command = plan
  variables {
    budget_webhook = "http://hooks.example.com/budgets"
  }
  expect_failures = [var.budget_webhook]
}

run "internal_worker_that_cloud_build_deploys" {
  command = plan
  variables {
    worker        = { internal = true }
    build_account = "ai-worker-build@my-project.iam.gserviceaccount.com"
  }
  expect_failures = [var.worker]
}
