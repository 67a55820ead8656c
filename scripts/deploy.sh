#!/usr/bin/env bash
# Puts an image into service, and takes it out again if anything fails:
#
#   PROJECT=my-project scripts/deploy.sh REGION-docker.pkg.dev/P/R/ai-worker:TAG VERSION
#
# The steps: migrate → candidates without traffic → smoke test → doctor →
# a share of the traffic for a while, if CANARY says so → all traffic → the tag
# `live`, which Terraform reads. After a failure, the latest revision of each
# service has all traffic again, and it runs the image of before.
#
# The database is not rolled back. So a migration must leave a schema that the
# previous image can work with.
#
# cloudbuild.yaml runs this script. It runs on a laptop as well. Run only one
# deploy at a time: with two, the candidate of one makes the smoke test of the
# other fail, since it has another version.
set -euo pipefail

if [ $# -ne 2 ]; then
  echo "usage: [SETTING=…] $0 IMAGE VERSION; the settings are here and in cloud.sh" >&2
  exit 2
fi
image=$1
version=$2
readonly name=deploy

# shellcheck source=scripts/cloud.sh
. "$(dirname "$0")/cloud.sh"

GEMINI_RPM=${GEMINI_RPM:-}           # a new quota, until the next `terraform apply`
DEPLOY=${DEPLOY:-true}               # false: only tag the image, before Terraform has made the services with it
CANARY=${CANARY:-}                   # percent of the traffic that the new version gets first
CANARY_MINUTES=${CANARY_MINUTES:-10} # for which it is watched; 0: until canary.sh promotes it or goes back

# ---- Undoing ----------------------------------------------------------------

step="check the settings"
undo=()       # commands, newest first
candidates=() # revisions that this deploy made

# before notes the command that undoes the next step. It is noted before that
# step, because the step may fail half-way.
before() { undo=("$1" ${undo[@]+"${undo[@]}"}); }

# discard_revisions deletes revisions that never had all traffic, and have been
# replaced: a roll-back to what ran before must not find them.
discard_revisions() { # discard_revisions REVISION…
  local revision
  for revision in "$@"; do
    run revisions delete "$revision" || echo "deploy: $revision could not be deleted; a roll-back may find it" >&2
  done
}

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
    discard_revisions ${candidates[@]+"${candidates[@]}"}
    echo "deploy: $version was rolled back; what ran before runs again" >&2
  fi
  exit 1
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ---- What runs --------------------------------------------------------------

# pin prints an image with its digest in place of its tag. So the same image is
# deployed even if somebody moves the tag meanwhile.
pin() { # pin IMAGE
  local digest
  case $1 in *@sha256:*) echo "$1" && return ;; esac
  digest=$(version_of "${1%:*}" "${1##*:}")
  [ -n "$digest" ] || fail "the registry has no $1"
  echo "${1%:*}@$digest"
}

# serving prints the revision that has all traffic. That may not be the latest
# one: a deploy that was killed leaves its candidate behind.
serving() { # serving SERVICE
  local traffic
  traffic=$(traffic_of "$1")
  case $traffic in
    100,*) echo "${traffic#100,}" ;;
    *) fail "no revision of $1 has all of its traffic, but $(tr '\n' ' ' <<<"$traffic"): is a canary under way?" \
      "\`scripts/canary.sh promote\` gives it all, \`scripts/canary.sh abort\` none" ;;
  esac
}

# ---- Smoke test -------------------------------------------------------------

smoke_test() { # smoke_test SERVICE
  local address answer
  answer=$(ask_health "$1")
  grep -qixF "X-Version: $version" <<<"$answer" || fail "$1 is to be version $version, and says $answer"
  [ "$1" = "$WORKER_SERVICE" ] || return 0

  # The content type shows that the answer is the service's own, and not
  # Google's.
  address=$(address_of "$1")
  answer=$(ask "$(identity "$(run services describe "$1" --format='value(status.url)')")" "$address/tasks/generate" \
    --output /dev/null --write-out '%{http_code} %{content_type}' \
    --header 'Authorization: Bearer not.from.cloud-tasks' --header 'Content-Type: application/json' --data '{}') ||
    fail "$1: /tasks/generate does not answer"
  [ "$answer" = "401 application/problem+json" ] ||
    fail "$1 is to refuse with 401 what is not from Cloud Tasks, and answers $answer"
}

# ---- Canary -----------------------------------------------------------------

# start_canary gives the candidates their share of what callers and Cloud Tasks
# send. Operators' pages are not shared out.
start_canary() {
  local service
  since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  for service in "$WORKER_SERVICE" "$API_SERVICE"; do
    step="give the candidate of $service $CANARY % of its traffic"
    say "$step"
    run services update-traffic "$service" --to-revisions="LATEST=$CANARY"
  done
}

# watch_canary looks twice a minute at the candidates' health and errors.
watch_canary() {
  local look i
  step="watch the canary"
  say "$step for $CANARY_MINUTES minutes"
  for ((look = 0; look < 2 * CANARY_MINUTES; look++)); do
    sleep 30
    for i in 0 1; do judge "$i"; done
  done
  for i in 0 1; do
    say "the canary of ${services[i]} got $(requests_of "${candidates[i]}" "$since") requests, and had" \
      "$(errors_of "${candidates[i]}" "$since") errors"
  done
}

# judge fails if a candidate is not healthy, or has three errors or more and
# twice as many as the version of before had for as much traffic: what hits
# both is not the canary's fault.
judge() { # judge INDEX
  local errors usual
  ask_health "${services[$1]}" >/dev/null
  errors=$(errors_of "${candidates[$1]}" "$since")
  [ "$errors" -ge 3 ] || return 0
  usual=$(errors_of "${revisions[$1]}" "$since")
  [ $((errors * (100 - CANARY))) -le $((2 * usual * CANARY)) ] ||
    fail "${candidates[$1]} has $errors errors in its log with $CANARY % of the traffic, and ${revisions[$1]} $usual"
}

# ---- The deploy -------------------------------------------------------------

check_number() { # check_number SETTING VALUE FROM TO
  { [[ $2 =~ ^(0|[1-9][0-9]{0,4})$ ]] && [ "$2" -ge "$3" ] && [ "$2" -le "$4" ]; } ||
    fail "$1 must be a whole number from $3 to $4"
}
[ -z "$GEMINI_RPM" ] || check_number GEMINI_RPM "$GEMINI_RPM" 1 30000
if [ -n "$CANARY" ]; then
  check_number CANARY "$CANARY" 1 99
  check_number CANARY_MINUTES "$CANARY_MINUTES" 0 30 # Cloud Build's time is for the tests as well
fi

step="look up the image"
image=$(pin "$image")
say "$image, version $version"

if [ "$DEPLOY" = false ]; then
  step="tag the image"
  tag_live "$image"
  say "tagged, and not deployed"
  exit
fi

step="look up what runs"
find_services
revisions=() # that serve, of each of the services
images=()
for service in "${services[@]}"; do
  revision=$(serving "$service")
  revisions+=("$revision")
  images+=("$(image_of "$revision")")
done
worker_before=${images[0]}

# A new quota changes a setting of the services and of doctor, and the queue's
# rate.
quota=""
quota_before=""
if [ -n "$GEMINI_RPM" ]; then
  settings=$'\n'$(settings_of "${revisions[0]}")$'\n'
  [[ $settings != *$'\n'LANES,* ]] ||
    fail "GEMINI_RPM is for one lane, and $WORKER_SERVICE has LANES: set each lane's rpm in Terraform"
  [[ $settings == *$'\n'CLOUD_TASKS_QUEUE,*"/queues/$QUEUE"$'\n'* ]] ||
    fail "QUEUE is $QUEUE, which is not the queue of $WORKER_SERVICE"
  rpm_before=$(rpm_of <<<"$settings")
  rate_before=$(gcloud tasks queues describe "$QUEUE" --project="$PROJECT" --location="$REGION" \
    --format='value(rateLimits.maxDispatchesPerSecond)')
  [ -n "$rate_before" ] || fail "cannot tell the rate of $QUEUE"
  quota=--update-env-vars=GEMINI_RPM=$GEMINI_RPM
  quota_before=${rpm_before:+--update-env-vars=GEMINI_RPM=$rpm_before}
  quota_before=${quota_before:---remove-env-vars=GEMINI_RPM}
fi

step="migrate the database"
say "$step; until now, $(date -u +%Y-%m-%dT%H:%M:%SZ), it was as before: the time for a point-in-time recovery"
before "gcloud run jobs update $MIGRATE_JOB --image=$worker_before $where"
run jobs update "$MIGRATE_JOB" --image="$image"
run jobs execute "$MIGRATE_JOB" --wait

# The worker comes first: it must understand the tasks that the others create.
for ((i = 0; i < ${#services[@]}; i++)); do
  service=${services[i]}
  step="start the candidate of $service"
  say "$step"
  # The order matters: the latest revision is the candidate until there is
  # another.
  before "gcloud run services update $service --image=${images[i]} $quota_before $where &&
  gcloud run services update-traffic $service --to-latest --remove-tags=$tag $where"
  # --tag is not used here: with it, gcloud would name the revision, and
  # Terraform would see a name that it has not given.
  latest=$(latest_of "$service")
  run services update "$service" --image="$image" --no-traffic ${quota:+"$quota"}
  run services update-traffic "$service" --update-tags="$tag=LATEST"
  candidates+=("$(latest_of "$service")")
  [ "$latest" = "${revisions[i]}" ] || discard_revisions "$latest" # of a deploy that was killed

  step="smoke-test $service"
  say "$step"
  smoke_test "$service"
done

if [ -n "$quota" ]; then
  # Until the step is done, each worker's pacer keeps to its own quota.
  step="set the rate of $QUEUE"
  say "$step"
  before "$update_queue --max-dispatches-per-second=$rate_before"
  $update_queue --max-dispatches-per-second="$(rate_for "$GEMINI_RPM")"
fi

step="let doctor look"
say "$step"
before "gcloud run jobs update $DOCTOR_JOB --image=$worker_before $quota_before $where"
run jobs update "$DOCTOR_JOB" --image="$image" ${quota:+"$quota"}
# Doctor does not look at how the work is going: that was done by the version
# before.
run jobs execute "$DOCTOR_JOB" --args=doctor,--setup --wait

if [ -n "$CANARY" ]; then
  start_canary
  if [ "$CANARY_MINUTES" -eq 0 ]; then
    trap - EXIT
    say "$version has $CANARY % of the traffic, until \`scripts/canary.sh promote\` (_CANARY=promote) gives it all," \
      "or \`scripts/canary.sh abort\` (_CANARY=abort) none; \`terraform apply\` would give it all as well"
    exit
  fi
  watch_canary
fi

for service in "${services[@]}"; do
  step="move the traffic of $service"
  say "$step"
  run services update-traffic "$service" --to-latest --remove-tags="$tag"
done

step="tag the image"
tag_live "$image"
say "$version is in service; \`scripts/rollback.sh previous\` goes back"
