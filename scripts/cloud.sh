# What deploy.sh, canary.sh and rollback.sh share: their settings, and what they
# ask Google Cloud. They source it after they have set `name`, which begins
# their complaints.
# shellcheck shell=bash disable=SC2034 # those who source it use the settings

: "${name:?}"

say() { echo "==> $*"; }

fail() {
  echo "$name: $*" >&2
  exit 1
}

for program in gcloud curl; do
  command -v "$program" >/dev/null || fail "$program is not installed"
done

PROJECT=${PROJECT:-$(gcloud config get project)}
REGION=${REGION:-europe-west1}
WORKER_SERVICE=${WORKER_SERVICE:-ai-worker}
API_SERVICE=${API_SERVICE:-ai-worker-api}
DASHBOARD_SERVICE=${DASHBOARD_SERVICE:-ai-worker-dashboard} # taken along if it is there
MIGRATE_JOB=${MIGRATE_JOB:-ai-worker-migrate}
DOCTOR_JOB=${DOCTOR_JOB:-ai-worker-doctor}
QUEUE=${QUEUE:-ai-worker-default-v1} # the queue whose rate is GEMINI_RPM's

readonly tag=candidate
readonly where="--project=$PROJECT --region=$REGION --quiet"
readonly update_queue="gcloud tasks queues update $QUEUE --project=$PROJECT --location=$REGION --quiet"

[ -n "$PROJECT" ] || fail "PROJECT is missing: the project that the services are in"

run() {
  # shellcheck disable=SC2086 # flags
  gcloud run "$@" $where
}

# find_services sets `services`: the worker, the API, and the dashboard if it has
# a service of its own. The worker is first.
find_services() {
  local found
  found=$(run services list --format='value(metadata.name)') ||
    fail "cannot list the services of $PROJECT: the account needs roles/run.viewer on the project"
  services=("$WORKER_SERVICE" "$API_SERVICE")
  if grep -qxF "$DASHBOARD_SERVICE" <<<"$found"; then
    services+=("$DASHBOARD_SERVICE")
  fi
}

# version_of prints the digest of the image with a tag, if there is one.
# (`images describe` would also need the permission to read Artifact Analysis.)
version_of() { # version_of IMAGE TAG
  gcloud artifacts docker tags list "$1" --project="$PROJECT" \
    --format='csv[no-heading](tag.basename(),version.basename())' | sed -n "s/^$2,//p"
}

# in_registry calls `gcloud artifacts COMMAND… --location --repository --package`
# for an image.
in_registry() { # in_registry IMAGE COMMAND…
  local host project repository package
  IFS=/ read -r host project repository package <<<"${1%@*}"
  gcloud artifacts "${@:2}" --package="$package" --repository="$repository" \
    --location="${host%-docker.pkg.dev}" --project="$project" --quiet
}

# tag_live gives an image the tag by which Terraform finds it. (`docker tags
# add` would delete the tag in between, which the builder's role does not
# allow.)
tag_live() { # tag_live IMAGE@DIGEST
  local action=create
  [ -z "$(version_of "${1%@*}" live)" ] || action=update
  in_registry "$1" tags "$action" live --version="${1#*@}"
}

# traffic_of prints who has the traffic of a service: PERCENT,REVISION a line.
traffic_of() { # traffic_of SERVICE
  run services describe "$1" --flatten='status.traffic[]' \
    --format='csv[no-heading](status.traffic.percent,status.traffic.revisionName)' | sed -n '/^[1-9]/p'
}

# address_of prints the address of a service's candidate.
address_of() { # address_of SERVICE
  run services describe "$1" --flatten='status.traffic[]' \
    --format='csv[no-heading](status.traffic.tag,status.traffic.url)' | sed -n "s/^$tag,//p"
}

# latest_of prints the revision of a service that was made last.
latest_of() { # latest_of SERVICE
  run services describe "$1" --format='value(status.latestCreatedRevisionName)'
}

image_of() { # image_of REVISION
  local digest
  digest=$(run revisions describe "$1" --format='value(status.imageDigest)')
  [ -n "$digest" ] || fail "cannot tell the image of $1"
  echo "$digest"
}

# settings_of prints the plain settings of a revision, NAME,VALUE a line.
settings_of() { # settings_of REVISION
  run revisions describe "$1" --flatten='spec.containers[].env[]' \
    --format='csv[no-heading](spec.containers.env.name,spec.containers.env.value)'
}

# rpm_of prints the quota in settings that come as settings_of prints them; nothing
# if there is none.
rpm_of() { sed -n 's/^GEMINI_RPM,\([0-9]*\)$/\1/p'; }

# rate_for prints the dispatches a second that make a quota.
rate_for() { # rate_for RPM
  LC_ALL=C awk -v rpm="$1" 'BEGIN { printf "%.9g", rpm / 60 }'
}

# identity prints a token for a service. A user cannot choose the audience of a
# token; Cloud Run accepts a user's token all the same.
identity() { # identity URL
  gcloud auth print-identity-token --audiences="$1" 2>/dev/null || gcloud auth print-identity-token
}

# ask sends a request to a candidate. Cloud Run looks for its token in this
# header first. So Authorization is free for the token that the service itself
# asks for. The token comes from a file that only curl has open: everybody on
# the machine sees a program's arguments.
ask() { # ask TOKEN URL [CURL-ARGUMENT…]
  curl --silent --show-error --max-time 20 --retry 5 \
    --config <(echo "header = \"X-Serverless-Authorization: Bearer $1\"") "${@:2}"
}

# ask_health prints a candidate's answer to GET /health, with its headers. It
# fails if the candidate is not healthy.
ask_health() { # ask_health SERVICE
  local address audience answer
  address=$(address_of "$1")
  [ -n "$address" ] || fail "$1 has no revision with the tag $tag"
  # The audience is the address of the service itself, not that of the tag.
  audience=$(run services describe "$1" --format='value(status.url)')
  # It may take a moment until a tag's address is known everywhere.
  answer=$(ask "$(identity "$audience")" "$address/health" --fail --retry-all-errors --include | tr -d '\r') ||
    fail "$1: /health does not answer"
  grep -q '"status":"healthy"' <<<"$answer" || fail "$1 is not healthy: $answer"
  echo "$answer"
}

# errors_of prints how many errors a revision has in its log since a time, 1000
# at most. Answers of 500 and above are among them.
errors_of() { # errors_of REVISION SINCE
  lines_of "$1" "$2" 'severity>=ERROR'
}

# requests_of prints how many requests a revision got since a time, 1000 at most.
requests_of() { # requests_of REVISION SINCE
  lines_of "$1" "$2" 'log_id("run.googleapis.com/requests")'
}

lines_of() { # lines_of REVISION SINCE FILTER
  local lines
  lines=$(gcloud logging read --project="$PROJECT" --quiet --limit=1000 --format='value(timestamp)' \
    "resource.type=\"cloud_run_revision\" resource.labels.revision_name=\"$1\" timestamp>=\"$2\" $3") ||
    fail "cannot read the log of $1: the account needs roles/logging.viewer on the project"
  if [ -z "$lines" ]; then echo 0; else grep -c . <<<"$lines"; fi
}
