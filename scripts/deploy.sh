#!/usr/bin/env bash
# Puts an image into service, and takes it out again if anything fails:
#
#   PROJECT=my-project scripts/deploy.sh REGION-docker.pkg.dev/P/R/ai-worker:TAG VERSION
#
# The steps: migrate → candidates without traffic → smoke test → doctor →
# traffic → the tag `live`, which Terraform reads. After a failure, the latest
# revision of both services has all traffic again, and it runs the image of
# before.
#
# The database is not rolled back. So a migration must leave a schema that the
# previous image can work with.
#
# cloudbuild.yaml runs this script. It runs on a laptop as well. Run only one
# deploy at a time: with two, the candidate of one makes the smoke test of the
# other fail, since it has another version.
set -euo pipefail

if [ $# -ne 2 ]; then
  echo "usage: [SETTING=…] $0 IMAGE VERSION; the settings are at the top of the script" >&2
  exit 2
fi
image=$1
version=$2

say() { echo "==> $*"; }

fail() {
  echo "deploy: $*" >&2
  exit 1
}

for program in gcloud curl; do
  command -v "$program" >/dev/null || fail "$program is not installed"
done

PROJECT=${PROJECT:-$(gcloud config get project)}
REGION=${REGION:-europe-west1}
WORKER_SERVICE=${WORKER_SERVICE:-ai-worker}
API_SERVICE=${API_SERVICE:-ai-worker-api}
MIGRATE_JOB=${MIGRATE_JOB:-ai-worker-migrate}
DOCTOR_JOB=${DOCTOR_JOB:-ai-worker-doctor}
GEMINI_RPM=${GEMINI_RPM:-}           # a new quota, until the next `terraform apply`
QUEUE=${QUEUE:-ai-worker-default-v1} # the queue whose rate changes with it
DEPLOY=${DEPLOY:-true}               # false: only tag the image, before Terraform has made the services with it

readonly tag=candidate
readonly where="--project=$PROJECT --region=$REGION --quiet"

# ---- Undoing ----------------------------------------------------------------

step="check the settings"
undo=() # commands, newest first

# before notes the command that undoes the next step. It is noted before that
# step, because the step may fail half-way.
before() { undo=("$1" ${undo[@]+"${undo[@]}"}); }

# shellcheck disable=SC2317,SC2329 # the trap calls it
finish() {
  local status=$? command incomplete=
  trap - EXIT
  trap '' INT TERM HUP # a second Ctrl-C must not stop the roll-back half-way
  [ "$status" -ne 0 ] || exit 0
  echo "deploy: FAILED: $step" >&2
  for command in ${undo[@]+"${undo[@]}"}; do
    say "rolling back: $command"
    eval "$command" || incomplete+=$'\n  '$command
  done
  if [ -n "$incomplete" ]; then
    echo "deploy: the ROLL-BACK IS INCOMPLETE. What failed, to be done by hand:$incomplete" >&2
  elif [ ${#undo[@]} -gt 0 ]; then
    echo "deploy: $version was rolled back; what ran before runs again" >&2
  fi
  exit 1
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ---- Google Cloud -----------------------------------------------------------

run() {
  # shellcheck disable=SC2086 # flags
  gcloud run "$@" $where
}

# version_of prints the digest of the image with a tag, if there is one.
# (`images describe` would also need the permission to read Artifact Analysis.)
version_of() { # version_of IMAGE TAG
  gcloud artifacts docker tags list "$1" --project="$PROJECT" \
    --format='csv[no-heading](tag.basename(),version.basename())' | sed -n "s/^$2,//p"
}

# pin prints an image with its digest in place of its tag. So the same image is
# deployed even if somebody moves the tag meanwhile.
pin() { # pin IMAGE
  local digest
  case $1 in *@sha256:*) echo "$1" && return ;; esac
  digest=$(version_of "${1%:*}" "${1##*:}")
  [ -n "$digest" ] || fail "the registry has no $1"
  echo "${1%:*}@$digest"
}

# tag_live gives the image the tag by which Terraform finds it. (`docker tags
# add` would delete the tag in between, which the builder's role does not
# allow.)
tag_live() {
  local host project repository package action=create
  IFS=/ read -r host project repository package <<<"${image%@*}"
  [ -z "$(version_of "${image%@*}" live)" ] || action=update
  gcloud artifacts tags "$action" live --version="${image#*@}" --package="$package" --repository="$repository" \
    --location="${host%-docker.pkg.dev}" --project="$project" --quiet
}

# serving prints the revision that has all traffic. That may not be the latest
# one: a deploy that was killed leaves its candidate behind.
serving() { # serving SERVICE
  local revision
  revision=$(run services describe "$1" --flatten='status.traffic[]' \
    --format='csv[no-heading](status.traffic.percent,status.traffic.revisionName)' | sed -n 's/^100,//p')
  [ -n "$revision" ] || fail "no revision of $1 has all of its traffic: see to that first"
  echo "$revision"
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

# address_of prints the address of a service's candidate.
address_of() { # address_of SERVICE
  run services describe "$1" --flatten='status.traffic[]' \
    --format='csv[no-heading](status.traffic.tag,status.traffic.url)' | sed -n "s/^$tag,//p"
}

# identity prints a token for a service. A user cannot choose the audience of a
# token; Cloud Run accepts a user's token all the same.
identity() { # identity URL
  gcloud auth print-identity-token --audiences="$1" 2>/dev/null || gcloud auth print-identity-token
}

# ---- Smoke test -------------------------------------------------------------

# ask sends a request to a candidate. Cloud Run looks for its token in this
# header first. So Authorization is free for the token that the service itself
# asks for.
ask() { # ask TOKEN URL [CURL-ARGUMENT…]
  curl --silent --show-error --max-time 20 --retry 5 \
    --header "X-Serverless-Authorization: Bearer $1" "${@:2}"
}

smoke_test() { # smoke_test SERVICE
  local address audience token answer
  address=$(address_of "$1")
  [ -n "$address" ] || fail "$1 has no revision with the tag $tag"
  # The audience is the address of the service itself, not that of the tag.
  audience=$(run services describe "$1" --format='value(status.url)')
  token=$(identity "$audience")

  # It may take a moment until a tag's address is known everywhere.
  answer=$(ask "$token" "$address/health" --fail --retry-all-errors --include | tr -d '\r') ||
    fail "$1: /health does not answer"
  grep -q '"status":"healthy"' <<<"$answer" || fail "$1 is not healthy: $answer"
  grep -qixF "X-Version: $version" <<<"$answer" || fail "$1 is to be version $version, and says $answer"
  [ "$1" = "$WORKER_SERVICE" ] || return 0

  # The content type shows that the answer is the service's own, and not
  # Google's.
  answer=$(ask "$token" "$address/tasks/generate" --output /dev/null --write-out '%{http_code} %{content_type}' \
    --header 'Authorization: Bearer not.from.cloud-tasks' --header 'Content-Type: application/json' --data '{}') ||
    fail "$1: /tasks/generate does not answer"
  [ "$answer" = "401 application/problem+json" ] ||
    fail "$1 is to refuse with 401 what is not from Cloud Tasks, and answers $answer"
}

# ---- The deploy -------------------------------------------------------------

[ -n "$PROJECT" ] || fail "PROJECT is missing: the project that the services are in"
if [ -n "$GEMINI_RPM" ] && ! { [[ $GEMINI_RPM =~ ^[1-9][0-9]{0,4}$ ]] && [ "$GEMINI_RPM" -le 30000 ]; }; then
  fail "GEMINI_RPM must be a whole number from 1 to 30000"
fi

step="look up the image"
image=$(pin "$image")
say "$image, version $version"

if [ "$DEPLOY" = false ]; then
  step="tag the image"
  tag_live
  say "tagged, and not deployed"
  exit
fi

step="look up what runs"
worker_revision=$(serving "$WORKER_SERVICE")
api_revision=$(serving "$API_SERVICE")
worker_before=$(image_of "$worker_revision")
api_before=$(image_of "$api_revision")

# A new quota changes a setting of the services and of doctor, and the queue's
# rate.
quota=""
quota_before=""
if [ -n "$GEMINI_RPM" ]; then
  settings=$'\n'$(settings_of "$worker_revision")$'\n'
  [[ $settings != *$'\n'LANES,* ]] ||
    fail "GEMINI_RPM is for one lane, and $WORKER_SERVICE has LANES: set each lane's rpm in Terraform"
  [[ $settings == *$'\n'CLOUD_TASKS_QUEUE,*"/queues/$QUEUE"$'\n'* ]] ||
    fail "QUEUE is $QUEUE, which is not the queue of $WORKER_SERVICE"
  rpm_before=$(sed -n 's/^GEMINI_RPM,\([0-9]*\)$/\1/p' <<<"$settings")
  rate_before=$(gcloud tasks queues describe "$QUEUE" --project="$PROJECT" --location="$REGION" \
    --format='value(rateLimits.maxDispatchesPerSecond)')
  [ -n "$rate_before" ] || fail "cannot tell the rate of $QUEUE"
  quota=--update-env-vars=GEMINI_RPM=$GEMINI_RPM
  quota_before=${rpm_before:+--update-env-vars=GEMINI_RPM=$rpm_before}
  quota_before=${quota_before:---remove-env-vars=GEMINI_RPM}
fi

step="migrate the database"
say "$step"
before "gcloud run jobs update $MIGRATE_JOB --image=$worker_before $where"
run jobs update "$MIGRATE_JOB" --image="$image"
run jobs execute "$MIGRATE_JOB" --wait

# The worker comes first: it must understand the tasks that the API creates.
for service in "$WORKER_SERVICE" "$API_SERVICE"; do
  step="start the candidate of $service"
  say "$step"
  previous=$worker_before
  [ "$service" = "$WORKER_SERVICE" ] || previous=$api_before
  # The order matters: the latest revision is the candidate until there is
  # another.
  before "gcloud run services update $service --image=$previous $quota_before $where &&
  gcloud run services update-traffic $service --to-latest --remove-tags=$tag $where"
  # --tag is not used here: with it, gcloud would name the revision, and
  # Terraform would see a name that it has not given.
  run services update "$service" --image="$image" --no-traffic ${quota:+"$quota"}
  run services update-traffic "$service" --update-tags="$tag=LATEST"

  step="smoke-test $service"
  say "$step"
  smoke_test "$service"
done

if [ -n "$quota" ]; then
  # Until the step is done, each worker's pacer keeps to its own quota.
  step="set the rate of $QUEUE"
  say "$step"
  rate=$(LC_ALL=C awk -v rpm="$GEMINI_RPM" 'BEGIN { printf "%.9g", rpm / 60 }')
  update="gcloud tasks queues update $QUEUE --project=$PROJECT --location=$REGION --quiet"
  before "$update --max-dispatches-per-second=$rate_before"
  $update --max-dispatches-per-second="$rate"
fi

step="let doctor look"
say "$step"
before "gcloud run jobs update $DOCTOR_JOB --image=$worker_before $quota_before $where"
run jobs update "$DOCTOR_JOB" --image="$image" ${quota:+"$quota"}
# Doctor does not look at how the work is going: that was done by the version
# before.
run jobs execute "$DOCTOR_JOB" --args=doctor,--setup --wait

for service in "$WORKER_SERVICE" "$API_SERVICE"; do
  step="move the traffic of $service"
  say "$step"
  run services update-traffic "$service" --to-latest --remove-tags="$tag"
done

step="tag the image"
tag_live
say "$version is in service"
