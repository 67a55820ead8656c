# What is asked first: do pictures come out, how much waits, what fails, how
# much of the quota is used, and what does it cost.

locals {
  rpm = sum([for l in values(var.lanes) : l.rpm])

  charts = [
    {
      title = "Pictures a minute (the quota is ${local.rpm})"
      query = "sum(rate(${local.metric["pictures"]}{monitored_resource=\"cloud_run_revision\"}[5m])) * 60"
      line  = local.rpm
    },
    {
      title = "Tasks on the queues"
      query = "sum by (queue_id) (cloudtasks_googleapis_com:queue_depth{monitored_resource=\"cloud_tasks_queue\",queue_id=~\"${local.queues}\"})"
      line  = null
    },
    {
      title = "Failed attempts a minute, by code"
      query = "sum by (code) (rate(${local.metric["failures"]}{monitored_resource=\"cloud_run_revision\"}[5m])) * 60"
      line  = null
    },
    {
      title = "Longest wait, as the sweep found it (s)"
      query = "histogram_quantile(1, sum by (le) (increase(logging_googleapis_com:user_${google_logging_metric.values["waiting"].name}_bucket{monitored_resource=\"cloud_run_revision\"}[15m])))"
      line  = var.alerts.waiting_minutes * 60
    },
    {
      title = "Seconds a delivery takes (95 % are quicker)"
      query = "histogram_quantile(0.95, sum by (le) (rate(run_googleapis_com:request_latencies_bucket{monitored_resource=\"cloud_run_revision\",service_name=\"${var.name}\"}[5m]))) / 1000"
      line  = null
    },
    {
      title = "Answers a minute, by class"
      query = "sum by (service_name, response_code_class) (rate(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\",service_name=~\"${var.name}(-api)?\"}[5m])) * 60"
      line  = null
    },
    {
      title = "Instances"
      query = "sum by (service_name, state) (run_googleapis_com:container_instance_count{monitored_resource=\"cloud_run_revision\",service_name=~\"${var.name}(-api)?\"})"
      line  = null
    },
    {
      title = "Spent on pictures in a day (US dollars)"
      query = "sum(increase(logging_googleapis_com:user_${google_logging_metric.values["cost"].name}_sum{monitored_resource=\"cloud_run_revision\"}[1d]))"
      line  = var.alerts.daily_spend_usd
    },
  ]
}

resource "google_monitoring_dashboard" "this" {
  dashboard_json = jsonencode({
    displayName = var.name
    labels      = { (var.name) = "" }
    mosaicLayout = {
      columns = 48
      tiles = [
        # Google leaves out what is zero or empty when it is asked, so that it is
        # left out here, too. Otherwise each plan would put it back.
        for i, c in local.charts : merge(
          { for name, at in { xPos = (i % 2) * 24, yPos = floor(i / 2) * 16 } : name => at if at > 0 },
          {
            width  = 24
            height = 16
            widget = {
              title = c.title
              xyChart = merge(
                {
                  dataSets = [{
                    plotType        = "LINE"
                    targetAxis      = "Y1"
                    timeSeriesQuery = { prometheusQuery = c.query }
                  }]
                },
                { for name, values in { thresholds = c.line == null ? [] : [{ value = c.line }] } : name => values if length(values) > 0 },
              )
            }
          },
        )
      ]
    }
  })
  depends_on = [terraform_data.apis_usable]
}
