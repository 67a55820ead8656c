data "google_project" "this" {
  project_id = var.project
}

# What Cloud Build deployed last, unless an image is given.
data "google_artifact_registry_docker_image" "live" {
  count = var.image == null ? 1 : 0

  location      = var.region
  repository_id = local.repository
  image_name    = "ai-worker:live"
}

locals {
  image = var.image == null ? data.google_artifact_registry_docker_image.live[0].self_link : var.image

  repository = coalesce(var.repository, var.name)

  # Addresses that Cloud Run gives to services of these names. To be known
  # before the services are, they are put together here.
  run_suffix = "-${data.google_project.this.number}.${var.region}.run.app"
  worker_url = "https://${var.name}${local.run_suffix}"
  api_url    = coalesce(var.api.url, "https://${var.name}-api${local.run_suffix}")

  # Seconds. Each ends before the next, or a picture would be cut off by who
  # asked for it. The first three are the program's, see worker.DefaultLimits
  # and cmd/internal/service; a test holds them together.
  deadlines = {
    gemini   = 300 # a request for a 4K picture; others have 120
    delivery = 480 # drawing, storing and recording a picture
    dispatch = 600 # for which Cloud Tasks listens to a delivery
    request  = 660 # after which Cloud Run cuts a request
    # After which Cloud Run cuts a request to the API, even in the middle of an
    # event. The program ends a stream after 14 minutes (handlers.MaxStream).
    stream = 900
    # One try of the migrations: an index of a large table takes its time.
    migrate = 1800
  }
  deadlines_nest = (
    local.deadlines.gemini < local.deadlines.delivery &&
    local.deadlines.delivery < local.deadlines.dispatch &&
    local.deadlines.dispatch < local.deadlines.request
  )

  # Pictures that all queues together may have in flight, and that all
  # instances together take. Were the second smaller, Cloud Run would refuse
  # deliveries with 429, which slows the queues down.
  in_flight = sum([for l in values(var.lanes) : l.concurrency])
  capacity  = var.worker.max_instances * var.worker.concurrency

  labels = { app = var.name }
}
