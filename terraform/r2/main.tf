# The bucket of pictures, and a token that can read and write this bucket and
# nothing else. A root of its own, since the Cloudflare account and its API
# token are other people's as often as not.
#
#   export CLOUDFLARE_API_TOKEN=…   # may edit R2 and account API tokens
#   terraform init && terraform apply

terraform {
  required_version = ">= 1.11.0"

  required_providers {
    cloudflare = {
      source  = "cloudflare/cloudflare"
      version = "~> 5.22"
    }
  }
}

provider "cloudflare" {}

variable "account_id" {
  description = "ID of the Cloudflare account: 32 hexadecimal digits."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{32}$", var.account_id))
    error_message = "account_id must be the 32 hexadecimal digits that Cloudflare's dashboard shows."
  }
}

variable "bucket" {
  description = "Name of the bucket."
  type        = string
  default     = "ai-worker-pictures"

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket must be 3 to 63 lower-case letters, digits and -."
  }
}

variable "domain" {
  description = "Where the pictures are public, such as pictures.example.com, with the ID of its zone. Without it, callers get presigned URLs."
  type = object({
    name    = string
    zone_id = string
  })
  default = null
}

variable "input_days" {
  description = "Pictures that callers sent to start from are deleted after so many days; a job lives for 7 at most."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.input_days >= 8 && floor(var.input_days) == var.input_days
    error_message = "input_days must be a whole number from 8: a job may still need its inputs for 7 days."
  }
}

locals {
  day = 86400
}

# Its location is left out: it is a hint only, and one that does not come true
# would replace the bucket at every apply.
resource "cloudflare_r2_bucket" "pictures" {
  account_id = var.account_id
  name       = var.bucket

  lifecycle {
    prevent_destroy = true
  }
}

resource "cloudflare_r2_bucket_lifecycle" "pictures" {
  account_id  = var.account_id
  bucket_name = cloudflare_r2_bucket.pictures.name

  rules = [
    {
      id                        = "Delete what callers sent"
      enabled                   = true
      conditions                = { prefix = "inputs/" }
      delete_objects_transition = { condition = { type = "Age", max_age = var.input_days * local.day } }
    },
    {
      id                        = "Delete what doctor left"
      enabled                   = true
      conditions                = { prefix = "doctor/" }
      delete_objects_transition = { condition = { type = "Age", max_age = local.day } }
    },
  ]
}

resource "cloudflare_r2_custom_domain" "pictures" {
  count = var.domain == null ? 0 : 1

  account_id  = var.account_id
  bucket_name = cloudflare_r2_bucket.pictures.name
  domain      = var.domain.name
  zone_id     = var.domain.zone_id
  enabled     = true
  min_tls     = "1.2"
}

data "cloudflare_account_api_token_permission_groups_list" "r2" {
  account_id = var.account_id
  scope      = urlencode("com.cloudflare.edge.r2.bucket")
}

locals {
  permissions = ["Workers R2 Storage Bucket Item Read", "Workers R2 Storage Bucket Item Write"]
  groups = [
    for g in data.cloudflare_account_api_token_permission_groups_list.r2.result : { id = g.id }
    if contains(local.permissions, g.name)
  ]
}

resource "cloudflare_account_token" "worker" {
  account_id = var.account_id
  name       = "${var.bucket} worker"

  policies = [{
    effect            = "allow"
    permission_groups = local.groups
    resources = jsonencode({
      "com.cloudflare.edge.r2.bucket.${var.account_id}_default_${cloudflare_r2_bucket.pictures.name}" = "*"
    })
  }]

  lifecycle {
    precondition {
      condition     = length(local.groups) == length(local.permissions)
      error_message = "Cloudflare does not offer the permissions ${join(" and ", local.permissions)} for buckets of this account. Is R2 enabled, and may CLOUDFLARE_API_TOKEN read permission groups?"
    }
  }
}

output "r2" {
  description = "For r2 of the service's root."
  value = {
    account_id = var.account_id
    bucket     = cloudflare_r2_bucket.pictures.name
    public_url = var.domain == null ? null : "https://${var.domain.name}"
  }
}

# The S3 API knows a token by its ID, and by the hash of its value. Cloudflare
# tells the value once, so that it is in this root's state: keep that as you
# would the token.
output "r2_credentials" {
  description = "The secret r2-credentials of the service's root: `terraform output -raw r2_credentials`."
  value       = "${cloudflare_account_token.worker.id}:${sha256(cloudflare_account_token.worker.value)}"
  sensitive   = true
}
