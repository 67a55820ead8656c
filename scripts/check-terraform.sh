#!/usr/bin/env bash
# Checks the Terraform configuration. It always checks the format. If Terraform
# and its providers are available, it also checks each root against the
# providers' schemas, and runs the tests of its variables. Then it applies the
# configuration with the real providers to stand-ins of Google's and
# Cloudflare's APIs; a second plan must be empty.
#
# With REQUIRE_TERRAFORM=1 it fails if these are not available, instead of only
# saying so.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() { # skip REASON
  echo "terraform: $1; only the format was checked" >&2
  if [ -n "${REQUIRE_TERRAFORM:-}" ]; then
    exit 1
  fi
  exit 0
}

# If the file that it names is missing, every command complains.
if ! [ -f "${TF_CLI_CONFIG_FILE:-}" ]; then
  unset TF_CLI_CONFIG_FILE
fi

terraform=$(command -v terraform || true)

if [ -n "$terraform" ]; then
  "$terraform" fmt -check -diff -recursive terraform
else # this is the formatter in `terraform fmt`
  find terraform -name '*.tf' -o -name '*.hcl' | while read -r file; do
    formatted=$(go tool -modfile=tools/go.mod hclfmt <"$file")
    diff -u "$file" - <<<"$formatted"
  done
  skip "it is not installed, see https://developer.hashicorp.com/terraform/install"
fi

wanted=$(sed -n 's/.*required_version *= *">= *\([0-9.]*\)".*/\1/p' terraform/versions.tf)
found=$("$terraform" version -json | sed -n 's/.*"terraform_version": *"\([^"]*\)".*/\1/p')
if [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1)" != "$wanted" ]; then
  skip "$terraform is $found, and $wanted or newer is needed"
fi

# Terraform works in a copy, so that it leaves no files in the tree. Providers
# are large, so they are kept between runs.
work=$(mktemp -d "${TMPDIR:-/tmp}/terraform.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/docs"
cp -R terraform "$work/terraform"
cp -R docs/playbooks "$work/docs/playbooks"
find "$work" -name .terraform -prune -exec rm -rf {} +

export CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1 TF_INPUT=0
if [ -z "${TF_CLI_CONFIG_FILE:-}" ]; then
  export TF_PLUGIN_CACHE_DIR="${XDG_CACHE_HOME:-$HOME/.cache}/ai-worker/terraform"
  mkdir -p "$TF_PLUGIN_CACHE_DIR"
fi

for root in terraform/bootstrap terraform terraform/r2; do
  if ! "$terraform" -chdir="$work/$root" init -backend=false -no-color >"$work/log" 2>&1; then
    if grep -qE 'Failed to query available provider packages|Failed to install provider|could not connect' "$work/log"; then
      skip "the providers of $root cannot be had here ($(grep -m 1 -oE 'could not connect to [^:]+|no available releases match|no such host' "$work/log" || echo 'see terraform init'))"
    fi
    cat "$work/log" >&2
    exit 1
  fi
  echo "terraform: $root"
  "$terraform" -chdir="$work/$root" validate -no-color
  if [ -d "$work/$root/tests" ]; then
    "$terraform" -chdir="$work/$root" test -no-color
  fi
done

TEST_TERRAFORM=$terraform go test -count=1 -timeout=40m ./test/terraform
TEST_TERRAFORM=$terraform go test -count=1 -timeout=15m -run='^TestTerraform$' ./test/emulator
