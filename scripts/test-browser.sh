#!/bin/bash
# Builds the service, the npm package and the example, and runs the tests in a
# real browser on them.
set -euo pipefail
cd "$(dirname "$0")/.."
export NEXT_TELEMETRY_DISABLED=1

go build -o bin/ ./cmd/dev ./test/browser/seed
(cd examples/nextjs && npm run client && npm ci --prefer-offline && npm run build)
cd test/browser
npm ci --prefer-offline
npm test
