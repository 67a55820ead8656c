#!/usr/bin/env bash
# From an empty Google Cloud project to a picture, with one command:
#
#   scripts/up.sh                          # asks for what it must know
#   scripts/up.sh --settings FILE          # takes it from a file of NAME=VALUE lines, which only you can read
#   PROJECT=… GEMINI_API_KEY=… scripts/up.sh   # or from the environment, as CI does
#   scripts/up.sh --check                  # looks whether all is well, and makes nothing
#   scripts/up.sh --no-picture             # draws none at the end
#
# It looks at everything before it makes anything. What it was told and what is
# done is kept in .data/up/PROJECT-NAME, for you alone: run it again, and it goes
# on. Secrets are in no command line and no log.
#
# docs/deploy.md has the settings, and the same steps by hand.
set -euo pipefail
umask 077

settings_file=
check_only=false
picture=true
while [ $# -gt 0 ]; do
  case $1 in
    --settings) settings_file=${2:?--settings needs a file} && shift ;;
    --check) check_only=true ;;
    --no-picture) picture=false ;;
    *)
      echo "usage: [SETTING=…] $0 [--settings FILE] [--check] [--no-picture]" >&2
      exit 2
      ;;
  esac
  shift
done
cd "$(dirname "$0")/.."
readonly name=up

stop() {
  echo "up: $*" >&2
  exit 1
}

problems=()
problem() { problems+=("$*"); }

# report_problems ends the script if there is any problem, and prints all of them.
report_problems() {
  [ ${#problems[@]} -gt 0 ] || return 0
  echo "up: nothing was made:" >&2
  printf '  ✗ %s\n' "${problems[@]}" >&2
  exit 1
}

# ---- Settings ---------------------------------------------------------------

readonly names="PROJECT REGION NAME GEMINI_API_KEY GEMINI_RPM DATABASE_URL MIGRATE_DATABASE_URL REDIS_URL \
R2_ACCOUNT_ID R2_BUCKET R2_CREDENTIALS R2_PUBLIC_URL CLOUDFLARE_API_TOKEN ALERT_EMAIL API_KEY SALT PICTURE_KEY"

# load takes those settings from a file that are not set yet.
load() { # load FILE
  local line key
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in '' | '#'*) continue ;; esac
    key=${line%%=*}
    case " $names " in
      *" $key "*) [ -n "${!key:-}" ] || printf -v "$key" '%s' "${line#*=}" ;;
      *) problem "$1: there is no setting $key" ;;
    esac
  done <"$1"
}

# need asks for a setting that is missing, if there is somebody to ask.
need() { # need NAME WHAT [DEFAULT] [secret]
  local answer=
  if [ -z "${!1:-}" ] && [ -t 0 ]; then
    if [ "${4:-}" = secret ]; then
      read -rsp "$2 ($1): " answer && echo
    else
      read -rp "$2 ($1)${3:+ [$3]}: " answer
    fi
  fi
  printf -v "$1" '%s' "${!1:-${answer:-${3:-}}}"
  [ -n "${!1}" ] || problem "$1 is missing: $2"
}

# must fails a setting that does not look as it should. Its value may be a
# secret, and is not shown.
must() { # must NAME REGEX WHAT
  [ -z "${!1:-}" ] || [[ ${!1} =~ $2 ]] || problem "$1 must be $3"
}

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# keep writes the settings down for the next run.
keep() {
  local key
  for key in $names; do
    [ -z "${!key:-}" ] || printf '%s=%s\n' "$key" "${!key}"
  done >"$state/settings.new"
  mv "$state/settings.new" "$state/settings"
}

for key in $names; do
  export -n "${key?}" # no program is told more than it is handed
done
if [ -n "$settings_file" ]; then
  [ -f "$settings_file" ] || stop "there is no file $settings_file"
  [ -z "$(find "$settings_file" \( -perm -040 -o -perm -004 \))" ] || stop "others can read $settings_file, which has secrets: chmod 600 $settings_file"
  load "$settings_file"
fi
need PROJECT "ID of a Google Cloud project with billing"
need NAME "what the names of all its parts begin with" ai-worker
must PROJECT '^[a-z][a-z0-9-]{4,28}[a-z0-9]$' "the ID of a project, such as my-project: not its name or number"
must NAME '^[a-z][a-z0-9-]{1,19}[a-z0-9]$' "3 to 21 lower-case letters, digits and -, beginning with a letter"
report_problems

# shellcheck disable=SC2153 # NAME is set by need
state=$PWD/.data/up/$PROJECT-$NAME
mkdir -p "$state"
[ ! -f "$state/settings" ] || load "$state/settings"
need REGION "region of the services" europe-west1
need GEMINI_API_KEY "key of Gemini, from AI Studio" "" secret
need GEMINI_RPM "requests a minute that the key's quota allows" 60
need DATABASE_URL "where Postgres is: postgres://…" "" secret
need REDIS_URL "where Redis is: rediss://…" "" secret
need R2_ACCOUNT_ID "ID of the Cloudflare account"
R2_BUCKET=${R2_BUCKET:-$NAME-pictures}
if [ -z "${R2_CREDENTIALS:-}" ]; then
  need CLOUDFLARE_API_TOKEN "token of Cloudflare's that may edit R2 and account API tokens; or R2_CREDENTIALS of a bucket that is there" "" secret
fi

must REGION '^[a-z]+-[a-z]+[0-9]+$' "a region, such as europe-west1"
must GEMINI_RPM '^([1-9][0-9]{0,3}|1[01][0-9]{3}|12000)$' "a whole number from 1 to 12000: a queue has 5000 pictures in flight at most"
for key in DATABASE_URL MIGRATE_DATABASE_URL; do
  must "$key" '^postgres(ql)?://[^[:space:]"\\]+@[^[:space:]"\\/]+/[^[:space:]"\\]+$' "a URL like postgres://USER:PASSWORD@HOST/DATABASE"
done
must REDIS_URL '^rediss?://[^[:space:]"\\]+$' "a URL like rediss://default:PASSWORD@HOST:6379"
must R2_ACCOUNT_ID '^[0-9a-f]{32}$' "the 32 hexadecimal digits that Cloudflare's dashboard shows"
must R2_BUCKET '^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$' "3 to 63 lower-case letters, digits and -"
must R2_CREDENTIALS '^[^[:space:]":\\]+:[^[:space:]":\\]+$' "ACCESS_KEY_ID:SECRET_ACCESS_KEY"
must R2_PUBLIC_URL '^https://[^/[:space:]"\\]+$' "https:// and a host name, without a path"
must GEMINI_API_KEY '^[^[:space:]"\\]+$' "a key without spaces and quotes"
must ALERT_EMAIL '^[^@[:space:]"\\]+@[^@[:space:]"\\]+$' "an address of e-mail"

# is_pooler tells whether a URL leads to a known transaction pooler, which cannot
# keep the lock that migrations take. It goes by what terraform/secrets.tf goes by:
# Neon's name, and the ports of Supabase's and of PgBouncer.
is_pooler() { # is_pooler URL
  [[ $1 =~ @[^/]*(-pooler\.|:6543|:6432) ]]
}
if is_pooler "${DATABASE_URL:-}"; then
  need MIGRATE_DATABASE_URL \
    "DATABASE_URL leads to a transaction pooler; migrations need the direct connection (Neon: the host without -pooler; Supabase: port 5432)" "" secret
fi
if is_pooler "${MIGRATE_DATABASE_URL:-}"; then
  problem "MIGRATE_DATABASE_URL leads to a transaction pooler as well: it must be the direct connection"
fi
report_problems
keep

# ---- Looking, before anything is made ---------------------------------------

WORKER_SERVICE=$NAME API_SERVICE=$NAME-api DASHBOARD_SERVICE=$NAME-dashboard
MIGRATE_JOB=$NAME-migrate DOCTOR_JOB=$NAME-doctor QUEUE=$NAME-default-v1
# shellcheck source=scripts/cloud.sh
. scripts/cloud.sh

command -v terraform >/dev/null || stop "terraform is not installed: https://developer.hashicorp.com/terraform/install"
AI_WORKER=${AI_WORKER:-} # a built program, instead of one that Go builds here
[ -n "$AI_WORKER" ] || scripts/check-go.sh

# shellcheck source=scripts/up-checks.sh
. scripts/up-checks.sh

concurrency=$(((GEMINI_RPM * 25 + 59) / 60)) # 20 s a picture, and 5 s for the rest
say "looking, before anything is made"
check_tools
check_project
check_policies
check_keys
check_tfvars
report_problems
if [ "$check_only" = true ]; then
  say "all is well; nothing was made"
  exit
fi

# ---- Making -----------------------------------------------------------------

# shellcheck source=scripts/up-make.sh
. scripts/up-make.sh

bootstrap() {
  say "the state's bucket, the image repository, the account that builds"
  fetch_state bootstrap
  terraform_in terraform/bootstrap init
  apply_root terraform/bootstrap -lock-timeout=15m -state="$state/bootstrap.tfstate" \
    -var="project=$PROJECT" -var="region=$REGION" -var="name=$NAME" || stop "the apply failed; run this again once it is mended"
  save_state bootstrap
}

make_bucket() {
  [ -z "${R2_CREDENTIALS:-}" ] || return 0
  say "the bucket for pictures, and its token"
  fetch_state r2
  terraform_in terraform/r2 init
  CLOUDFLARE_API_TOKEN=$CLOUDFLARE_API_TOKEN terraform_in terraform/r2 apply -auto-approve -state="$state/r2.tfstate" \
    -var="account_id=$R2_ACCOUNT_ID" -var="bucket=$R2_BUCKET"
  save_state r2
  R2_CREDENTIALS=$(terraform_in terraform/r2 output -state="$state/r2.tfstate" -raw r2_credentials)
  keep
}

# build has Cloud Build make the first image. Rights that were just given are
# felt after a minute or more.
build() {
  local repository=$REGION-docker.pkg.dev/$PROJECT/$NAME/ai-worker try
  if [ -n "$(version_of "$repository" live)" ]; then
    say "there is an image already"
    return
  fi
  say "the first image"
  for try in 1 2 3 4; do
    if gcloud builds submit --project="$PROJECT" --config=cloudbuild.yaml \
      --gcs-source-staging-dir="gs://$PROJECT-$NAME-source/source" \
      --substitutions="_DEPLOY=false,_TEST=false,_REGION=$REGION,_REPOSITORY=$NAME,_BUILD_ACCOUNT=$NAME-build" 2>&1 | tee "$state/build.log"; then
      return
    fi
    if [ "$try" -eq 4 ] || ! grep -qiE 'permission|forbidden' "$state/build.log"; then
      break
    fi
    say "not all rights are felt yet; again in a minute"
    sleep 60
  done
  stop "the build failed; its log is above, and in $state/build.log"
}

write_secrets() {
  SALT=${SALT:-$(random)}
  API_KEY=${API_KEY:-$(random)}
  keep
  {
    printf '{\n  "salt": "%s",\n  "api-keys": "web:%s",\n  "gemini-api-key-default": "%s",\n' "$SALT" "$API_KEY" "$GEMINI_API_KEY"
    [ -z "${MIGRATE_DATABASE_URL:-}" ] || printf '  "migrate-database-url": "%s",\n' "$MIGRATE_DATABASE_URL"
    printf '  "database-url": "%s",\n  "redis-url": "%s",\n  "r2-credentials": "%s"\n}\n' "$DATABASE_URL" "$REDIS_URL" "$R2_CREDENTIALS"
  } >"$state/ai-worker.secrets.json.new"
  mv "$state/ai-worker.secrets.json.new" "$state/ai-worker.secrets.json"
}

# write_tfvars writes what is no secret. A file that is there stays as it is.
write_tfvars() {
  [ ! -f terraform/terraform.tfvars ] || return 0
  {
    printf 'project       = "%s"\nregion        = "%s"\nname          = "%s"\n' "$PROJECT" "$REGION" "$NAME"
    printf 'build_account = "%s-build@%s.iam.gserviceaccount.com"\n\n' "$NAME" "$PROJECT"
    printf 'r2 = {\n  account_id = "%s"\n  bucket     = "%s"\n' "$R2_ACCOUNT_ID" "$R2_BUCKET"
    [ -z "${R2_PUBLIC_URL:-}" ] || printf '  public_url = "%s"\n' "$R2_PUBLIC_URL"
    printf '}\n\nlanes = {\n  default = { rpm = %s, concurrency = %s }\n}\n' "$GEMINI_RPM" "$concurrency"
    [ "$concurrency" -le 400 ] || printf '\nworker = { max_instances = %s } # of 40 pictures each\n' $(((concurrency + 39) / 40))
    [ -z "${MIGRATE_DATABASE_URL:-}" ] || printf '\nmigrate_database_url = true\n'
    [ -z "${ALERT_EMAIL:-}" ] || printf '\nalert_emails = ["%s"]\n' "$ALERT_EMAIL"
    [ "$allusers" = true ] || printf '\napi = { invoker_iam_disabled = true } # the organisation forbids allUsers\n'
  } >terraform/terraform.tfvars.new
  mv terraform/terraform.tfvars.new terraform/terraform.tfvars
}

# apply makes the service. Terraform runs the migrations before it.
apply() {
  local killed=false
  say "the service: queues, accounts, secrets, migrations, services, alerts"
  write_secrets
  write_tfvars
  ! was_killed terraform || killed=true
  apply_service -var="secrets_file=$state/ai-worker.secrets.json" ||
    stop "the apply failed; run this again once it is mended. $(unlocking)"
  [ "$killed" = false ] || tell_of_alerts
}

look() {
  say "doctor looks at everything"
  run jobs execute "$DOCTOR_JOB" --wait || stop "doctor found something. It says what mends it:" \
    "gcloud logging read 'resource.labels.job_name=\"$DOCTOR_JOB\"' --project=$PROJECT --order=asc --freshness=10m --format='value(textPayload)'"
}

# part prints a member of the job that was answered last. The first one of that
# name is the job's own.
part() { # part NAME
  tr -d '\n' <"$state/picture.json" | grep -oE "\"$1\": *\[? *\"?[^\",}]*" | head -n 1 |
    sed -e 's/^"[^"]*": *\[* *"*//' -e 's/\\u0026/\&/g'
}

ask_api() { # ask_api URL [CURL-ARGUMENT…]
  curl --silent --show-error --fail-with-body --max-time 90 --output "$state/picture.json" \
    --config <(echo "header = \"Authorization: Bearer $API_KEY\"") "$@" ||
    stop "the API does not do it: $(head -c 500 "$state/picture.json" 2>/dev/null)"
}

# draw asks for one picture, once for all runs: they have one idempotency key. After
# one that ended without success, the next run asks for another.
draw() {
  local url try
  say "a picture"
  url=$(terraform_in terraform output -raw api_url)
  PICTURE_KEY=${PICTURE_KEY:-up-$(random)}
  keep
  ask_api "$url/api/generate-images" --retry 5 --retry-all-errors --header "Idempotency-Key: $PICTURE_KEY" \
    --header 'Content-Type: application/json' --header 'Prefer: wait=60' --data '{"prompt": "A lighthouse at dusk, watercolour"}'
  for ((try = 0; try < 10; try++)); do
    case $(part status) in
      queued | processing) ask_api "$url/api/jobs/$(part id)" --header 'Prefer: wait=60' ;;
      *) break ;;
    esac
  done
  case $(part status) in
    failed | partial | canceled) PICTURE_KEY='' && keep ;;
  esac
  [ "$(part status)" = succeeded ] ||
    stop "the picture is $(part status): $(head -c 500 "$state/picture.json"). \`gcloud run jobs execute $DOCTOR_JOB --region=$REGION --wait\` finds out why"
  say "it cost $(part cost_usd) US dollars; the API is $url, and its key is API_KEY in $state/settings"
  part output
}

bootstrap
make_bucket
build
apply
look
if [ "$picture" = true ]; then
  draw
else
  say "done; the API is $(terraform_in terraform output -raw api_url), and its key is API_KEY in $state/settings"
fi
