# Each alert carries its playbook, so that who is woken reads what to do.

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.alert_emails)

  display_name = each.key
  type         = "email"
  labels       = { email_address = each.key }
  depends_on   = [terraform_data.apis_usable]
}

locals {
  channels = [for c in google_monitoring_notification_channel.email : c.id]

  queues = join("|", [for q in google_cloud_tasks_queue.lane : q.name])

  playbook = { for name in ["oldest-waiting", "lane-broken", "server-errors", "no-success", "spend", "budget"] :
    name => file("${path.module}/../docs/playbooks/${name}.md")
  }

  # Found in the log, as the program says it.
  log_alerts = {
    "oldest-waiting" = {
      title    = "a picture has waited for over ${var.alerts.waiting_minutes} minutes"
      severity = "WARNING"
      filter   = "${local.worker_log} AND jsonPayload.message=\"swept\" AND jsonPayload.oldest_waiting_seconds>${var.alerts.waiting_minutes * 60}"
      labels   = { waiting = "EXTRACT(jsonPayload.waiting)" }
    }
    "lane-broken" = {
      title    = "a lane is broken"
      severity = "CRITICAL"
      filter   = "${local.worker_log} AND jsonPayload.message=\"lane paused\" AND jsonPayload.broken=true"
      labels   = { reason = "EXTRACT(jsonPayload.error)" }
    }
    "budget" = {
      title    = "a budget is used up to ${var.alerts.budget_percent} %"
      severity = "WARNING"
      filter   = "${local.services_log} AND jsonPayload.message=\"budget threshold\" AND jsonPayload.percent>=${var.alerts.budget_percent}"
      labels   = { budget = "EXTRACT(jsonPayload.budget)", percent = "EXTRACT(jsonPayload.percent)" }
    }
  }

  # Found in metrics.
  metric_alerts = {
    "server-errors" = {
      title    = "over ${var.alerts.server_errors} answers of 500 and above in 5 minutes"
      severity = "ERROR"
      query = join("", [
        "sum by (service_name) (increase(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\",",
        "service_name=~\"${var.name}(-api|-dashboard)?\",response_code_class=\"5xx\"}[5m])) > ${var.alerts.server_errors}",
      ])
    }
    # Work waits on a queue, and nothing comes out.
    "no-success" = {
      title    = "no picture in ${var.alerts.no_success_minutes} minutes, and there is work"
      severity = "CRITICAL"
      query = join("", [
        "(min_over_time(sum(cloudtasks_googleapis_com:queue_depth{monitored_resource=\"cloud_tasks_queue\",",
        "queue_id=~\"${local.queues}\"})[${var.alerts.no_success_minutes}m:1m]) > 0)",
        " and on() ((sum(increase(${local.metric["pictures"]}{monitored_resource=\"cloud_run_revision\"}",
        "[${var.alerts.no_success_minutes}m])) or vector(0)) == 0)",
      ])
    }
    "spend" = {
      title    = "pictures cost over ${var.alerts.daily_spend_usd} US dollars in a day"
      severity = "WARNING"
      query = join("", [
        "sum(increase(logging_googleapis_com:user_${google_logging_metric.values["cost"].name}_sum",
        "{monitored_resource=\"cloud_run_revision\"}[1d])) > ${var.alerts.daily_spend_usd}",
      ])
    }
  }
}

resource "google_monitoring_alert_policy" "log" {
  for_each = local.log_alerts

  display_name          = "${var.name}: ${each.value.title}"
  severity              = each.value.severity
  combiner              = "OR"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = each.value.title
    condition_matched_log {
      filter           = each.value.filter
      label_extractors = each.value.labels
    }
  }
  alert_strategy {
    auto_close = "3600s"
    notification_rate_limit {
      period = "3600s"
    }
  }
  documentation {
    subject   = "${var.name}: ${each.value.title}"
    content   = local.playbook[each.key]
    mime_type = "text/markdown"
  }
}

resource "google_monitoring_alert_policy" "metric" {
  for_each = local.metric_alerts

  display_name          = "${var.name}: ${each.value.title}"
  severity              = each.value.severity
  combiner              = "OR"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = each.value.title
    condition_prometheus_query_language {
      query                     = each.value.query
      duration                  = "0s" # the window is in the query
      evaluation_interval       = "60s"
      disable_metric_validation = true # a metric is not known before its first value
    }
  }
  alert_strategy {
    auto_close = "3600s"
  }
  documentation {
    subject   = "${var.name}: ${each.value.title}"
    content   = local.playbook[each.key]
    mime_type = "text/markdown"
  }
  depends_on = [terraform_data.apis_usable]
}
