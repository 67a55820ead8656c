# Google Cloud's own count of the project, which Gemini's bill is part of if its
# key belongs to this project. The spend alert is quicker, and knows pictures
# only.
resource "google_billing_budget" "this" {
  count = var.budget == null ? 0 : 1

  billing_account = var.budget.billing_account
  display_name    = var.name

  budget_filter {
    projects = ["projects/${data.google_project.this.number}"]
  }
  amount {
    specified_amount {
      currency_code = "USD"
      units         = tostring(floor(var.budget.monthly_usd))
    }
  }
  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1]
    content {
      threshold_percent = threshold_rules.value
    }
  }
  dynamic "all_updates_rule" {
    for_each = length(local.channels) == 0 ? [] : [true]
    content {
      monitoring_notification_channels = slice(local.channels, 0, min(5, length(local.channels))) # it takes five
    }
  }
  depends_on = [google_project_service.this]
}
