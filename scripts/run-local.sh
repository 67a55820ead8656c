#!/bin/sh
# Runs the whole service on this machine, with stand-ins for the services that
# it has no settings for. Arguments and environment are passed on:
#
#   GEMINI_RPM=10 ./scripts/run-local.sh
set -eu
cd "$(dirname "$0")/.."

scripts/check-go.sh
exec go run ./cmd/dev "$@"
