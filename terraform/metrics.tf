# Metrics made from the log, where the service says what alerts and the
# dashboard ask. A line is found by its message; renaming one is caught by a
# test.

locals {
  worker_log = join(" AND ", [
    "resource.type=\"cloud_run_revision\"",
    "resource.labels.service_name=\"${var.name}\"",
    "resource.labels.location=\"${var.region}\"",
  ])

  # Pictures are reserved by whoever takes a job or draws one.
  services_log = join(" AND ", [
    "resource.type=\"cloud_run_revision\"",
    "resource.labels.service_name=~\"^${var.name}(-api|-dashboard)?$\"",
    "resource.labels.location=\"${var.region}\"",
  ])

  # Their names in PromQL.
  metric = { for key, m in google_logging_metric.this : key => "logging_googleapis_com:user_${replace(m.name, "-", "_")}" }
}

resource "google_logging_metric" "this" {
  for_each = {
    pictures = {
      filter = "jsonPayload.message=\"picture stored\""
      about  = "Pictures drawn and stored"
      labels = {}
    }
    failures = {
      filter = "jsonPayload.message=\"attempt failed\""
      about  = "Attempts that failed, by their code"
      labels = { code = "EXTRACT(jsonPayload.code)" }
    }
  }

  name        = "${replace(var.name, "-", "_")}_${each.key}"
  description = each.value.about
  filter      = "${local.worker_log} AND ${each.value.filter}"

  label_extractors = each.value.labels
  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key = labels.key
      }
    }
  }
  depends_on = [terraform_data.apis_usable]
}

resource "google_logging_metric" "values" {
  for_each = {
    cost = {
      filter = "jsonPayload.message=\"picture stored\""
      value  = "EXTRACT(jsonPayload.cost_usd)"
      about  = "What pictures cost by the tokens of the answers, in US dollars"
      unit   = "USD"
      bounds = [0.02, 0.05, 0.1, 0.2, 0.5]
    }
    waiting = {
      filter = "jsonPayload.message=\"swept\""
      value  = "EXTRACT(jsonPayload.oldest_waiting_seconds)"
      about  = "How long the oldest picture has waited, as each sweep finds it"
      unit   = "s"
      bounds = [60, 300, 600, 1800, 3600, 7200, 14400, 28800, 86400]
    }
  }

  name            = "${replace(var.name, "-", "_")}_${each.key}"
  description     = each.value.about
  filter          = "${local.worker_log} AND ${each.value.filter}"
  value_extractor = each.value.value

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = each.value.unit
  }
  bucket_options {
    explicit_buckets {
      bounds = each.value.bounds
    }
  }
  depends_on = [terraform_data.apis_usable]
}
