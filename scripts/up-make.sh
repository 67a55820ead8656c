# How up.sh has Terraform make things, and goes on where it was killed. It sources
# this file.
#
# Terraform writes a state that is a file after each thing that it made, but one
# in a bucket every 20 s only. So a root's first apply has its state in $state. A
# run that is killed then loses what was being made in that moment: it is there,
# and in no state. The next run takes that up.
# shellcheck shell=bash disable=SC2154 # up.sh sets the settings

readonly bucket=$PROJECT-$NAME-state
readonly override=terraform/up_override.tf

terraform_in() { # terraform_in ROOT COMMAND…
  TF_DATA_DIR=$state/terraform-$(basename "$1") TF_IN_AUTOMATION=1 TF_INPUT=0 terraform -chdir="$1" "${@:2}"
}

# A state that is not in the bucket by itself is kept here, and copied there, for
# a run on another machine.
fetch_state() { # fetch_state ROOT
  [ -f "$state/$1.tfstate" ] ||
    gcloud storage cp "gs://$bucket/up/$1.tfstate" "$state/$1.tfstate" --project="$PROJECT" >/dev/null 2>&1 || true
}
save_state() { # save_state ROOT
  gcloud storage cp "$state/$1.tfstate" "gs://$bucket/up/$1.tfstate" --project="$PROJECT" >/dev/null
}

# was_killed tells whether an apply of a root was begun, and neither failed nor
# was finished.
was_killed() { # was_killed ROOT
  [ -f "$state/$(basename "$1").begun" ]
}

# apply_root applies a root. Where the run before was killed, it takes up what
# that run made, and applies again.
apply_root() { # apply_root ROOT [ARGUMENT…]
  local label killed=false imports=$1/up_import.tf
  label=$(basename "$1")
  ! was_killed "$1" || killed=true
  [ "$killed" = true ] || rm -f "$imports"
  : >"$state/$label.begun"
  # tee -i: after a Ctrl-C, Terraform still has to print, and to write the state.
  until terraform_in "$1" apply -auto-approve -no-color "${@:2}" 2>&1 | tee -i "$state/$label.log"; do
    if [ "$killed" = false ]; then
      rm -f "$state/$label.begun"
      return 1
    fi
    take_up "$state/$label.log" "$imports" || return
  done
  rm -f "$state/$label.begun" "$imports"
}

# take_up has the next apply import what the log of this one says is there already.
# (`terraform import` does not do: it wants all else to be in the state.) Nobody
# waited for the end of a migration, which runs again. It fails if there is nothing
# more to take up.
take_up() { # take_up LOG IMPORTS
  local what address id found=false
  while read -r what address; do
    id=$(id_of "${address%%.*}" "$what") || continue
    ! grep -qF "to = $address" "$2" 2>/dev/null || continue
    say "the run that was killed made $what: it is taken up as $address"
    [ "$address" != google_cloud_run_v2_job.migrate ] || run jobs execute "$what" --wait || return
    printf 'import {\n  to = %s\n  id = "%s"\n}\n' "$address" "$id" >>"$2"
    found=true
  done < <(already_there "$1")
  [ "$found" = true ]
}

# already_there prints the name and the address of each thing that an apply was to
# make and could not, because it is there, going by the apply's log.
already_there() { # already_there LOG
  awk '
    /^  # / { planned = "" }
    /^  # .* will be created$/ { planned = $0; gsub(/^  # | will be created$/, "", planned) }
    /^      \+ (name|account_id|repository_id|secret_id) +=.*"/ { split($0, part, "\""); id[planned, $2] = part[2] }
    /^Error: / { error = 1; there = 0 }
    error && /Error 409|already exists/ { there = 1 }
    error && /^  with .*,$/ {
      address = $0; gsub(/^  with |,$/, "", address)
      what = id[address, "account_id"] id[address, "repository_id"] id[address, "secret_id"]
      if (what == "") what = id[address, "name"]
      if (there && what != "") print what, address
      error = 0
    }' "$1"
}

# id_of prints how Terraform imports a thing of a type. It fails for types whose
# names Google gives.
id_of() { # id_of TYPE NAME
  case $1 in
    google_storage_bucket | google_logging_metric) echo "$2" ;;
    google_service_account) echo "projects/$PROJECT/serviceAccounts/$2@$PROJECT.iam.gserviceaccount.com" ;;
    google_secret_manager_secret) echo "projects/$PROJECT/secrets/$2" ;;
    google_artifact_registry_repository) echo "projects/$PROJECT/locations/$REGION/repositories/$2" ;;
    google_cloud_tasks_queue) echo "projects/$PROJECT/locations/$REGION/queues/$2" ;;
    google_cloud_run_v2_service) echo "projects/$PROJECT/locations/$REGION/services/$2" ;;
    google_cloud_run_v2_job | google_cloud_scheduler_job) echo "projects/$PROJECT/locations/$REGION/jobs/$2" ;;
    *) return 1 ;;
  esac
}

# apply_service applies the service's own root: first with a state that is a file,
# later with the one in the bucket. Each apply that ends, well or not, leaves the
# state in the bucket, so that it can be gone on with from anywhere.
apply_service() { # apply_service [ARGUMENT…]
  local objects failed=false wait=15m
  objects=$(gcloud storage ls "gs://$bucket/**" --project="$PROJECT") || stop "cannot list gs://$bucket, where the state is"
  if grep -qxF "gs://$bucket/$NAME/default.tfstate" <<<"$objects"; then
    move_state || return
    ! was_killed terraform || wait=0s # whoever has the lock then is named at once
    apply_root terraform -lock-timeout="$wait" "$@" || failed=true
  else
    printf 'terraform {\n  backend "local" {\n    path = "%s"\n  }\n}\n' "$state/service.tfstate" >"$override"
    terraform_in terraform init -reconfigure || return
    apply_root terraform -lock-timeout="$wait" "$@" || failed=true
    move_state || return
  fi
  [ "$failed" = false ]
}

# move_state has Terraform work with the state in the bucket, and moves one that is
# a file there. Terraform refuses to if the one in the bucket is newer.
move_state() {
  rm -f "$override"
  terraform_in terraform init -reconfigure -backend-config="bucket=$bucket" -backend-config="prefix=$NAME" || return
  [ -s "$state/service.tfstate" ] || return 0
  terraform_in terraform state push -no-color "$state/service.tfstate" 2>&1 | tee -i "$state/terraform.log" ||
    stop "the state in $state/service.tfstate could not be moved to gs://$bucket/$NAME; if the one there is newer, remove the file. $(unlocking)"
  mv "$state/service.tfstate" "$state/service.tfstate.moved"
}

# unlocking prints what unlocks the state, if the log says that it is locked.
unlocking() {
  local id
  id=$(sed -n 's/^ *ID: *\([0-9][0-9]*\) *$/\1/p' "$state/terraform.log" | head -n 1)
  [ -z "$id" ] || echo "The state is locked. Unless somebody applies right now (it says who, above), a run that was killed left that:" \
    "TF_DATA_DIR=$state/terraform-terraform terraform -chdir=terraform force-unlock -force $id"
}

# tell_of_alerts names the alerts that no state knows. Google gives them their
# names, so one that was being made when a run was killed is made a second time.
tell_of_alerts() {
  local known token found alert title
  known=$(terraform_in terraform state pull)
  token=$(gcloud auth print-access-token)
  found=$(curl --silent --show-error --fail --max-time 20 --header "X-Goog-User-Project: $PROJECT" \
    --config <(echo "header = \"Authorization: Bearer $token\"") \
    "https://monitoring.googleapis.com/v3/projects/$PROJECT/alertPolicies?pageSize=1000&fields=alertPolicies(name,displayName)") ||
    say "whether an alert is there twice could not be looked at: https://console.cloud.google.com/monitoring/alerting/policies?project=$PROJECT"
  tr '\n}' ' \n' <<<"$found" | while read -r found; do
    alert=$(sed -n 's/.*"name": *"\([^"]*\)".*/\1/p' <<<"$found")
    title=$(sed -n 's/.*"displayName": *"\([^"]*\)".*/\1/p' <<<"$found")
    if [ "${title#"$NAME: "}" != "$title" ] && ! grep -qF "\"$alert\"" <<<"$known"; then
      say "the run that was killed left an alert that is there twice now, \"$title\": gcloud alpha monitoring policies delete $alert"
    fi
  done
}
