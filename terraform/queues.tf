# A lane is a quota of Gemini's: its queue's rate is the quota.
resource "google_cloud_tasks_queue" "lane" {
  for_each = var.lanes

  # The version is in the name because the name of a queue that was deleted
  # cannot be used again for days.
  name          = "${var.name}-${each.key}-v${each.value.queue_version}"
  location      = var.region
  desired_state = each.value.paused ? "PAUSED" : "RUNNING"

  rate_limits {
    max_dispatches_per_second = each.value.rpm / 60
    max_concurrent_dispatches = each.value.concurrency
  }

  # Expected trouble is answered 2xx and rescheduled by the worker. What is
  # retried here is a worker that did not answer, or could not reach the
  # record; giving up would delete the task.
  retry_config {
    max_attempts       = -1
    max_retry_duration = "0s" # no limit
    min_backoff        = "5s"
    max_backoff        = "300s"
    max_doublings      = 6
  }

  stackdriver_logging_config {
    sampling_ratio = var.queue_log_ratio
  }

  lifecycle {
    create_before_destroy = true
  }
  depends_on = [terraform_data.apis_usable]
}

# While there is work, each sweep puts the next one here, for ten minutes later.
# While there is none, nothing comes: a sweep by the clock would wake a database
# that is suspended while idle.
resource "google_cloud_tasks_queue" "sweep" {
  name     = "${var.name}-sweep-v${var.sweep_queue_version}"
  location = var.region

  rate_limits {
    max_dispatches_per_second = 1
    max_concurrent_dispatches = 2
  }
  retry_config {
    max_attempts       = -1
    max_retry_duration = "0s"
    min_backoff        = "10s"
    max_backoff        = "600s"
    max_doublings      = 6
  }

  lifecycle {
    create_before_destroy = true
  }
  depends_on = [terraform_data.apis_usable]
}

# Each try to tell a receiver is a task here, for the time of the try. The worker
# tells no receiver too much at once; what it puts off it schedules again.
resource "google_cloud_tasks_queue" "webhook" {
  count = length(local.webhook_secrets) > 0 ? 1 : 0

  name     = "${var.name}-webhook-v${var.webhook_queue_version}"
  location = var.region

  rate_limits {
    max_dispatches_per_second = 100
    max_concurrent_dispatches = 64
  }
  # What is retried here is a worker that did not answer, or could not reach the
  # record. A receiver that fails gets a task for its next try.
  retry_config {
    max_attempts       = -1
    max_retry_duration = "0s"
    min_backoff        = "1s"
    max_backoff        = "300s"
    max_doublings      = 9
  }

  lifecycle {
    create_before_destroy = true
  }
  depends_on = [terraform_data.apis_usable]
}
