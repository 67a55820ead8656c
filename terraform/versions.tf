# The service itself. What must be there before it, the bucket of this state
# among it, is in bootstrap/; the bucket of pictures is in r2/.

terraform {
  required_version = ">= 1.11.0" # write-only arguments keep secrets out of the state

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.45"
    }
  }

  # Bucket and prefix are given to `terraform init`; bootstrap's output has the
  # command. The prefix is the service's name, so that each has its own state.
  backend "gcs" {}
}

provider "google" {
  project               = var.project
  region                = var.region
  user_project_override = true # a budget's quota is counted against this project
  billing_project       = var.project
}
