# What must be there before the service's own root can be applied: a bucket for
# its state, a place for its image, and an account that builds the image.
# Applied once per service, by an owner of the project. Its own state is small and
# stays in this folder; docs/deploy.md says how to move it into the bucket. A
# second service in the project has a workspace of its own.

terraform {
  required_version = ">= 1.11.0"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.45"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

variable "project" {
  description = "ID of the Google Cloud project, with billing enabled."
  type        = string
}

variable "region" {
  description = "Region of the bucket and the images."
  type        = string
  default     = "europe-west1"
}

variable "name" {
  description = "Begins the names of what is made; the image repository has this one."
  type        = string
  default     = "ai-worker"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 21 lower-case letters, digits and -, beginning with a letter."
  }
}

variable "settle_seconds" {
  description = "How long to wait until an API that was enabled can be used."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.settle_seconds >= 0 && var.settle_seconds <= 600 && floor(var.settle_seconds) == var.settle_seconds
    error_message = "settle_seconds must be a whole number from 0 to 600."
  }
}

resource "google_project_service" "this" {
  for_each = toset([
    "artifactregistry.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "secretmanager.googleapis.com", # a plan of the service looks for secrets that are there
    "serviceusage.googleapis.com",
    "storage.googleapis.com",
  ])

  service            = each.key
  disable_on_destroy = false
}

# Waits after an API is enabled, as in the service's root.
resource "terraform_data" "apis_usable" {
  triggers_replace = sort(keys(google_project_service.this))

  provisioner "local-exec" {
    interpreter = ["sh", "-c"]
    command     = "sleep ${var.settle_seconds}"
  }
}

# Notes whose state this is, as in the service's root.
resource "terraform_data" "deployment" {
  input = "${var.project}/${var.name}"

  lifecycle {
    ignore_changes = [input]
  }
}

resource "terraform_data" "checked" {
  lifecycle {
    precondition {
      condition     = terraform_data.deployment.output == "${var.project}/${var.name}"
      error_message = "This state is that of ${terraform_data.deployment.output}, and project and name say ${var.project}/${var.name}: all of the first would be deleted. For a second service use a workspace of its own: terraform -chdir=terraform/bootstrap workspace new ${var.name}"
    }
  }
}

resource "google_storage_bucket" "state" {
  name                        = "${var.project}-${var.name}-state"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true # an older state can be had back
  }
  lifecycle_rule {
    condition {
      num_newer_versions = 50
    }
    action {
      type = "Delete"
    }
  }

  lifecycle {
    prevent_destroy = true
  }
  depends_on = [terraform_data.apis_usable]
}

# The logs of builds, and what `gcloud builds submit` sends if it is told to.
resource "google_storage_bucket" "source" {
  name                        = "${var.project}-${var.name}-source"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true

  lifecycle_rule {
    condition {
      age = 7
    }
    action {
      type = "Delete"
    }
  }
  depends_on = [terraform_data.apis_usable]
}

resource "google_artifact_registry_repository" "images" {
  repository_id = var.name
  location      = var.region
  format        = "DOCKER"
  description   = "Images of ${var.name}"

  # Enough to roll back to. A policy that keeps wins over one that deletes.
  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 20
    }
  }
  cleanup_policies {
    id     = "keep-what-runs"
    action = "KEEP"
    condition {
      tag_state    = "TAGGED"
      tag_prefixes = ["live"]
    }
  }
  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "2592000s" # 30 days
    }
  }
  depends_on = [terraform_data.apis_usable]
}

resource "google_service_account" "build" {
  account_id   = "${var.name}-build"
  display_name = "${var.name} build"
  description  = "Cloud Build builds and deploys ${var.name} as this account"
  depends_on   = [terraform_data.apis_usable]
}

# The smoke test of a deploy proves who it is with an identity token of its own.
resource "google_service_account_iam_member" "build_identity" {
  service_account_id = google_service_account.build.name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = google_service_account.build.member
}

resource "google_artifact_registry_repository_iam_member" "build" {
  repository = google_artifact_registry_repository.images.repository_id
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

# It reads what `gcloud builds submit` sent there, and writes the log that this
# command shows. Cloud Build asks for this role where a log is written.
resource "google_storage_bucket_iam_member" "build" {
  bucket = google_storage_bucket.source.name
  role   = "roles/storage.admin"
  member = google_service_account.build.member
}

# And what it sends if no bucket is named: gcloud then makes one for the project.
resource "google_project_iam_member" "build_source" {
  project = var.project
  role    = "roles/storage.objectViewer"
  member  = google_service_account.build.member

  condition {
    title      = "source-of-builds"
    expression = "resource.name.startsWith(\"projects/_/buckets/${var.project}_cloudbuild/\")"
  }
}

# The log of a build can be written to the project only.
resource "google_project_iam_member" "build_log" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}

output "build_account" {
  description = "For build_account of the service's root."
  value       = google_service_account.build.email
}

output "next" {
  description = "What to do next, ready to paste, in the repository's top folder."
  value = {
    build_the_first_image = join(" ", [
      "gcloud builds submit --project=${var.project} --config=cloudbuild.yaml",
      "--gcs-source-staging-dir=gs://${google_storage_bucket.source.name}/source",
      "--substitutions=_DEPLOY=false,_REGION=${var.region},_REPOSITORY=${google_artifact_registry_repository.images.repository_id},_BUILD_ACCOUNT=${google_service_account.build.account_id}",
    ])
    use_the_state_bucket = "terraform -chdir=terraform init -backend-config=bucket=${google_storage_bucket.state.name} -backend-config=prefix=${var.name}"
  }
}
