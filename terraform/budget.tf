# Google Cloud's own count of the project, which Gemini's bill is part of if its
# key belongs to this project. The spend alert is quicker, and knows pictures
# only, in US dollars.
resource "google_billing_budget" "this" {
  count = var.billing_budget == null ? 0 : 1

  billing_account = var.billing_budget.billing_account
  display_name    = var.name

  budget_filter {
    projects = ["projects/${data.google_project.this.number}"]
  }
  amount {
    specified_amount {
      units = tostring(var.billing_budget.monthly_amount) # Google takes no other currency than the account's
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
  depends_on = [terraform_data.apis_usable]
}
