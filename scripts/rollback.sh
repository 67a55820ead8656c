#!/usr/bin/env bash
# Goes back to what ran before: all services together, with the image, the
# settings and the versions of secrets that they had then.
#
#   PROJECT=my-project scripts/rollback.sh --dry-run previous
#   PROJECT=my-project scripts/rollback.sh previous             # before the last change
#   PROJECT=my-project scripts/rollback.sh ai-worker-00041-abc  # that revision, and the others' of its image
#   PROJECT=my-project scripts/rollback.sh canary               # before the canary that is under way
#   scripts/rollback.sh --current-secrets previous              # with today's versions of the secrets
#
# Each service gets a new revision that is a copy of the old one, and all traffic
# goes to the latest revision, as ever: what is deployed or applied later is
# served. Nothing changes before all is known to be there. It may be run again
# after it was killed, and goes on; `previous` never goes further than one step
# back.
#
# The database is not rolled back: a migration leaves a schema that the version
# before can work with.
set -euo pipefail

usage() {
  echo "usage: [SETTING=…] $0 [--dry-run] [--current-secrets] previous|canary|REVISION…; the settings are in cloud.sh" >&2
  exit 2
}

dry_run=false
current_secrets=false
while [ $# -gt 0 ]; do
  case $1 in
    --dry-run) dry_run=true ;;
    --current-secrets) current_secrets=true ;;
    -*) usage ;;
    *) break ;;
  esac
  shift
done
[ $# -gt 0 ] || usage
readonly name=rollback

# shellcheck source=scripts/cloud.sh
. "$(dirname "$0")/cloud.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/rollback.XXXXXX")
trap 'rm -rf "$work"' EXIT

# ---- What ran ---------------------------------------------------------------

# The history has a line for each revision, the newest first:
# CREATED,SERVICE,REVISION,IMAGE,READY.
readonly history=$work/history

read_history() {
  local service
  for service in "${services[@]}"; do
    run revisions list --service="$service" --sort-by='~metadata.creationTimestamp' --limit=200 \
      --format='csv[no-heading](metadata.creationTimestamp,metadata.name,status.imageDigest,status.conditions.filter("type=Ready").extract("status").flatten())' \
      >"$work/list" || fail "cannot list the revisions of $service: the account needs roles/run.viewer on the project"
    sed "s/^\([^,]*\),/\1,$service,/" "$work/list"
  done | sort -r >"$history"
}

# newest prints the Nth newest revision of a service.
newest() { # newest SERVICE N
  awk -F, -v service="$1" -v n="$2" '$2 == service && ++i == n { print $3 }' "$history"
}

# column prints what the history has of a revision: 1 is when it was made, 2 the
# service, 4 the image.
column() { # column REVISION NUMBER
  awk -F, -v revision="$1" -v column="$2" '$3 == revision { print $column }' "$history"
}

# before_the_last_change prints the newest state in which all services ran one
# image, and which is not that of their latest revisions: SERVICE=REVISION a line.
# It takes revisions off the history, the newest first, until that is so. A
# dashboard that did not run then is left alone.
before_the_last_change() {
  awk -F, -v services="${services[*]}" '
    { of[NR] = $2; revision[NR] = $3; image[NR] = $4; ready[NR] = $5 }
    END {
      n = split(services, service, " ")
      for (i = NR; i >= 1; i--) latest[of[i]] = revision[i]
      for (taken = 1; taken < NR; taken++) {
        same = 1; other = 0; first = ""
        for (s = 1; s <= n; s++) {
          for (i = taken + 1; i <= NR; i++) if (of[i] == service[s] && ready[i] == "True") break
          if (i > NR) { if (s < 3) exit 1; top[s] = latest[service[s]]; continue }
          top[s] = revision[i]
          if (top[s] != latest[service[s]]) other = 1
          if (first == "") first = image[i]; else if (image[i] != first) same = 0
        }
        if (same && other) { for (s = 1; s <= n; s++) print service[s] "=" top[s]; exit 0 }
      }
      exit 1
    }' "$history"
}

# of_release prints the same for a revision that was named: of each other
# service, the newest revision with its image.
of_release() { # of_release REVISION
  local service image other
  image=$(column "$1" 4)
  for service in "${services[@]}"; do
    if [ "$(column "$1" 2)" = "$service" ]; then
      other=$1
    else
      other=$(awk -F, -v service="$service" -v image="$image" \
        '$2 == service && $4 == image && $5 == "True" { print $3; exit }' "$history")
    fi
    [ -n "$other" ] || fail "$service has never run $image, the image of $1: name a revision of each service"
    echo "$service=$other"
  done
}

# ---- The plan ---------------------------------------------------------------

# A plan says for each service from which latest revision to which other it goes:
# SERVICE=FROM:TO, separated by spaces. The change of each service writes the
# whole plan into an annotation of it. So a second run knows what the first one
# meant, and goes on with that.

# note_of prints the plan in a service's annotation.
note_of() { # note_of SERVICE
  run services describe "$1" --format='value(metadata.annotations.rollbackPlan)'
}

# has_gone tells whether a service has a new revision by the plan.
has_gone() { # has_gone SERVICE
  [ "$(newest "$1" 2)" = "$(planned "$1" from)" ] && [ "$(note_of "$1")" = "$plan" ]
}

# find_begun sets `plan` to one that was begun, if nothing came after it: each
# service either has gone back by it, or still has the latest revision that it
# had.
find_begun() {
  local service other
  for service in "${services[@]}"; do
    plan=$(note_of "$service")
    if [ -z "$(planned "$service" from)" ] || ! has_gone "$service"; then
      continue
    fi
    for other in "${services[@]}"; do
      [ -z "$(planned "$other" from)" ] || [ "$(newest "$other" 1)" = "$(planned "$other" from)" ] || has_gone "$other" || continue 2
    done
    return
  done
  plan=
}

# planned prints one side of a service's part of the plan.
planned() { # planned SERVICE from|to
  local part
  for part in $plan; do
    case $part in
      "$1="*)
        part=${part#*=}
        if [ "$2" = from ]; then echo "${part%:*}"; else echo "${part#*:}"; fi
        ;;
    esac
  done
}

# make_plan sets `plan` from SERVICE=REVISION, a line for each service. One that
# serves that revision already is left alone.
make_plan() { # make_plan TARGETS
  local target service revision latest
  plan=
  for target in $1; do
    service=${target%%=*}
    revision=${target#*=}
    latest=$(newest "$service" 1)
    if [ "$latest" != "$revision" ] || [ "$(traffic_of "$service")" != "100,$latest" ]; then
      plan+="${plan:+ }$service=$latest:$revision"
    fi
  done
}

# targets_of prints SERVICE=REVISION a line for what the command line names.
targets_of() { # targets_of previous|canary|REVISION…
  local revision
  if [ "$1" = previous ] || [ "$1" = canary ]; then
    [ $# -eq 1 ] || fail "$1 stands alone"
    before_the_last_change ||
      fail "there is nothing to go back to: no earlier revisions of ${services[*]} that ran one image and were ready"
    return
  fi
  for revision in "$@"; do
    [ -n "$(column "$revision" 2)" ] || fail "none of ${services[*]} has a revision $revision; \`gcloud run revisions list\` shows them"
  done
  if [ $# -eq 1 ]; then
    of_release "$1"
  else
    for revision in "$@"; do echo "$(column "$revision" 2)=$revision"; done
  fi
}

# all_on_latest tells whether each service's latest revision has all its traffic.
all_on_latest() {
  local service
  for service in "${services[@]}"; do
    [ "$(traffic_of "$service")" = "100,$(newest "$service" 1)" ] || return 1
  done
}

# leads_to tells whether the plan goes to what the command line names. What it
# names may have copies by now.
leads_to() { # leads_to previous|canary|REVISION…
  local revision
  case $1 in previous | canary) return ;; esac
  for revision in "$@"; do
    case "$plan " in *":$revision "*) ;; *) return 1 ;; esac
  done
}

choose_plan() { # choose_plan previous|canary|REVISION…
  local targets
  find_begun
  if [ -n "$plan" ] && leads_to "$@"; then
    say "this goes on with a roll-back that was begun; to go further back, name an earlier revision"
    return
  fi
  if [ "$1" = canary ] && all_on_latest; then
    fail "no canary is under way: the latest revisions have all traffic. \`scripts/rollback.sh previous\` goes back"
  fi
  targets=$(targets_of "$@")
  make_plan "$targets"
}

# ---- What must be there -----------------------------------------------------

# secrets_in prints SECRET VERSION a line, of the secrets that a revision reads.
secrets_in() { # secrets_in FILE
  awk '
    /^ *secretKeyRef:$/ { inside = 2; key = ""; secret = ""; next }
    inside && $1 == "key:" { key = $2; inside-- }
    inside && $1 == "name:" { secret = $2; inside-- }
    key != "" && secret != "" { gsub(/['"'"'"]/, "", key); print secret, key; key = ""; secret = "" }' "$1" | sort -u
}

# with_secrets_of prints a revision with the versions that another one reads.
with_secrets_of() { # with_secrets_of FILE OTHER
  secrets_in "$2" >"$work/versions"
  awk '
    FNR == NR { version[$1] = $2; next }
    /^ *secretKeyRef:$/ { print; getline key; getline secret
      if (split(secret, word, " ") && word[2] in version) sub(/key: .*/, "key: '"'"'" version[word[2]] "'"'"'", key)
      print key; print secret; next }
    { print }' "$work/versions" "$1"
}

# check_target fails if a revision's copy could not start.
check_target() { # check_target SERVICE
  local secret version state to image
  to=$(planned "$1" to)
  image=$(column "$to" 4)
  in_registry "$image" versions describe "${image#*@}" --format='value(name)' >/dev/null ||
    fail "the registry does not have $image any more, which $to ran: name another revision"
  while read -r secret version; do
    state=$(gcloud secrets versions describe "$version" --secret="$secret" --project="$PROJECT" --format='value(state)') ||
      fail "cannot look at version $version of the secret $secret: the account needs roles/secretmanager.viewer on it"
    case $state in
      ENABLED | enabled) ;;
      DISABLED | disabled)
        fail "$to reads version $version of the secret $secret, which is disabled. Enable it" \
          "(gcloud secrets versions enable $version --secret=$secret --project=$PROJECT), or go back with today's: --current-secrets"
        ;;
      *) fail "$to reads version $version of the secret $secret, which is destroyed. Go back with today's: --current-secrets" ;;
    esac
  done < <(secrets_in "$work/$1.revision")
}

# read_target keeps the template of the revision that a service goes back to.
read_target() { # read_target SERVICE
  local format='yaml(metadata.annotations,metadata.labels,spec)'
  run revisions describe "$(planned "$1" to)" --format="$format" >"$work/$1.revision"
  if [ "$current_secrets" = true ]; then
    run revisions describe "$(planned "$1" from)" --format="$format" >"$work/$1.latest"
    with_secrets_of "$work/$1.revision" "$work/$1.latest" >"$work/$1.new"
    mv "$work/$1.new" "$work/$1.revision"
  fi
}

# ---- The change -------------------------------------------------------------

# own leaves out what Cloud Run and gcloud write into annotations and labels
# themselves, with values that run over several lines.
own() {
  awk '
    /^    [^ ]/ { skip = /^    (serving\.knative\.dev|client\.knative\.dev|run\.googleapis\.com\/(client-|operation-id|urls|ingress-status|creator|lastModifier)|rollbackPlan|cloud\.googleapis\.com)/ }
    /^ ? ?[^ ]/ { skip = 0 }
    !skip'
}

# filled leaves out keys that have nothing below them.
filled() {
  awk '
    held != "" { match($0, /^ */); if (RLENGTH > indent) print held; held = "" }
    /^  (annotations|labels):$/ { held = $0; match($0, /^ */); indent = RLENGTH; next }
    { print }'
}

# describe_service prints the service as it shall be: itself, with the template of
# the old revision, and with all traffic on the latest one.
describe_service() { # describe_service SERVICE
  local image
  image=$(column "$(planned "$1" to)" 4)
  printf 'apiVersion: serving.knative.dev/v1\nkind: Service\n'
  run services describe "$1" --format='yaml(metadata.name,metadata.annotations,metadata.labels)' | own | filled |
    awk -v plan="$plan" '
      { print }
      /^  annotations:$/ { print "    rollbackPlan: " plan; written = 1 }
      END { if (!written) print "  annotations:\n    rollbackPlan: " plan }'
  printf 'spec:\n  template:\n'
  own <"$work/$1.revision" | filled | sed -e "s|^\( *\(- \)\{0,1\}\)image: .*|\1image: $image|" -e 's/^/    /'
  printf '  traffic:\n  - latestRevision: true\n    percent: 100\n'
}

# done_already tells whether a service has gone back already.
done_already() { # done_already SERVICE
  has_gone "$1" && [ "$(traffic_of "$1")" = "100,$(newest "$1" 1)" ]
}

go_back() { # go_back SERVICE
  if done_already "$1"; then
    say "$1 has gone back already"
    return
  fi
  say "$1 goes back to $(planned "$1" to)"
  describe_service "$1" >"$work/$1.yaml"
  run services replace "$work/$1.yaml" ||
    fail "$1 did not take $(planned "$1" to); what served goes on. See its log, then run this again"
}

# set_rate sets the queue's rate, if the quota was another one.
set_rate() {
  local old new
  old=$(settings_of "$(planned "$WORKER_SERVICE" to)" | rpm_of)
  new=$(settings_of "$(planned "$WORKER_SERVICE" from)" | rpm_of)
  if [ -n "$old" ] && [ "$old" != "$new" ]; then
    say "the rate of $QUEUE goes back to $old a minute"
    $update_queue --max-dispatches-per-second="$(rate_for "$old")"
  fi
}

# ---- The roll-back ----------------------------------------------------------

find_services
read_history
choose_plan "$@"
[ -n "$plan" ] || {
  say "nothing to do: the services run what was named, and all of their traffic is on it"
  exit
}

# The worker is last: it must understand the tasks that the others create.
order=()
for service in "$DASHBOARD_SERVICE" "$API_SERVICE" "$WORKER_SERVICE"; do
  [ -z "$(planned "$service" to)" ] || order+=("$service")
done
for service in "${order[@]}"; do
  read_target "$service"
  check_target "$service"
done

image=
for service in "${order[@]}"; do
  to=$(planned "$service" to)
  image=$(column "$to" 4)
  say "$service: from $(planned "$service" from) to $to of $(column "$to" 1), $image"
done
for service in "${services[@]}"; do
  [ -n "$(planned "$service" to)" ] || say "$service: stays as it is"
done
if [ "$dry_run" = true ]; then
  say "nothing was changed"
  exit
fi

for service in "${order[@]}"; do
  go_back "$service"
done
if [ -n "$(planned "$WORKER_SERVICE" to)" ]; then
  set_rate
fi
for job in "$MIGRATE_JOB" "$DOCTOR_JOB"; do
  run jobs update "$job" --image="$image"
done
tag_live "$image"

say "done: image, settings and versions of secrets are as they were; all traffic is on the latest revisions; the tag live is moved"
say "not done: migrations stay, and this version works with them; queues but for the rate above, accounts and" \
  "secrets themselves are Terraform's; the next \`terraform apply\` sets the settings of its configuration again"
