# What up.sh looks at before it makes anything: programs, the project, policies of
# its organisation, keys, and a configuration that is there. It sources this file.
# Each check tells up.sh's `problem` what is wrong, and `say` what is worth knowing.
# shellcheck shell=bash disable=SC2034,SC2154 # up.sh sets the settings, and uses allusers

check_tools() {
  local found
  found=$(terraform version | sed -n 's/^Terraform v\([0-9.]*\).*/\1/p')
  [ "$(printf '1.11.0\n%s\n' "$found" | sort -t. -k1,1n -k2,2n -k3,3n | head -n 1)" = 1.11.0 ] ||
    problem "Terraform is $found, and 1.11 or newer is needed"
  [ -n "$(gcloud auth list --filter=status:ACTIVE --format='value(account)')" ] ||
    problem "nobody is signed in: gcloud auth login"
  gcloud auth application-default print-access-token >/dev/null 2>&1 ||
    problem "Terraform is not signed in: gcloud auth application-default login"
}

check_project() {
  local billing account currency
  if [ "$(gcloud projects describe "$PROJECT" --format='value(lifecycleState)' 2>/dev/null)" != ACTIVE ]; then
    problem "there is no project $PROJECT, or you may not see it: gcloud projects list"
    return
  fi
  billing=$(gcloud billing projects describe "$PROJECT" --format='csv[no-heading](billingEnabled,billingAccountName)' 2>/dev/null) || billing=
  case $billing in
    True,* | true,*) ;;
    '') say "whether $PROJECT has billing could not be looked at" && return ;;
    *) problem "$PROJECT has no billing: https://console.cloud.google.com/billing/linkedaccount?project=$PROJECT" && return ;;
  esac
  account=${billing#*,}
  currency=$(gcloud billing accounts describe "${account#billingAccounts/}" --format='value(currencyCode)' 2>/dev/null) || currency=
  say "the billing account is ${account#billingAccounts/}${currency:+, in $currency, which a budget of the project counts in}"
}

# policy prints a part of an organisation's policy as it is in force.
policy() { # policy CONSTRAINT FIELD
  gcloud resource-manager org-policies describe "$1" --project="$PROJECT" --effective --format="value($2)" 2>/dev/null ||
    echo unknown
}

# check_policies sets `allusers` to whether everybody may be given a right.
allusers=true
check_policies() {
  local domains places ingress group
  domains=$(policy iam.allowedPolicyMemberDomains 'listPolicy.allowedValues')
  case $domains in
    '' | unknown) ;;
    *)
      allusers=false
      say "the organisation lets in members of its own domains only: the API is opened by a setting of its own instead of a right"
      ;;
  esac
  [ "$domains" != unknown ] || say "the organisation's policies could not be looked at: if a step fails by one, it says so"
  places=$(policy gcp.resourceLocations 'listPolicy.allowedValues')
  group=${REGION%%-*}
  [ "$group" != europe ] || group='eu|europe'
  case $places in
    '' | unknown) ;;
    *) grep -qE "$REGION|in:($group)-locations|in:global-locations" <<<"$places" ||
      problem "the organisation does not allow the region $REGION (gcp.resourceLocations): it allows $places" ;;
  esac
  ingress=$(policy run.allowedIngress 'listPolicy.allowedValues')
  case ";$ingress;" in
    ';;' | ';unknown;' | *';all;'*) ;;
    *) problem "the organisation does not allow services that the internet reaches (run.allowedIngress): the API could not be asked" ;;
  esac
  [ "$(policy iam.disableServiceAccountCreation booleanPolicy.enforced)" != True ] ||
    problem "the organisation does not allow new service accounts (iam.disableServiceAccountCreation)"
}

# check_keys tries each key once, with the program's own doctor.
check_keys() {
  local answer account='' pictures=''
  if [ -z "$AI_WORKER" ]; then
    AI_WORKER=$state/ai-worker
    go build -o "$AI_WORKER" ./cmd/ai-worker
  fi
  if [ -n "${R2_CREDENTIALS:-}" ]; then
    account=$R2_ACCOUNT_ID
    pictures=$R2_BUCKET
  fi
  GEMINI_API_KEY=$GEMINI_API_KEY GEMINI_RPM=$GEMINI_RPM WORKER_CONCURRENCY=$concurrency \
    DATABASE_URL=${MIGRATE_DATABASE_URL:-$DATABASE_URL} REDIS_URL=$REDIS_URL R2_PUBLIC_URL=${R2_PUBLIC_URL:-} \
    R2_ACCOUNT_ID=$account R2_BUCKET=$pictures R2_CREDENTIALS=${R2_CREDENTIALS:-} \
    "$AI_WORKER" doctor --keys || problem "what is above with ✗"
  [ -z "${R2_CREDENTIALS:-}" ] || return 0
  answer=$(curl --silent --max-time 20 --output /dev/null --write-out '%{http_code}' \
    --config <(echo "header = \"Authorization: Bearer $CLOUDFLARE_API_TOKEN\"") \
    "https://api.cloudflare.com/client/v4/accounts/$R2_ACCOUNT_ID/r2/buckets") || answer=none
  [ "$answer" = 200 ] || problem "Cloudflare answers $answer to CLOUDFLARE_API_TOKEN: it must belong to the account" \
    "$R2_ACCOUNT_ID, where R2 is enabled, and may edit R2 and account API tokens"
}

# check_tfvars fails if terraform.tfvars is that of another service.
check_tfvars() {
  local given key
  [ -f terraform/terraform.tfvars ] || return 0
  for given in "project=$PROJECT" "region=$REGION" "name=$NAME"; do
    key=${given%%=*}
    grep -q "^ *$key *= *\"${given#*=}\"" terraform/terraform.tfvars ||
      problem "terraform/terraform.tfvars is there, and its $key is not that of this service: move the file away"
  done
}
