#!/bin/bash
# Runs the Next.js example on the service as `make dev` runs it, and ends both
# together. With AI_WORKER_URL (and AI_WORKER_KEY) it uses that service instead.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/check-node.sh
running=()
stop() {
  trap - EXIT INT TERM
  for process in "${running[@]}"; do
    kill -TERM "$process" 2>/dev/null || true
  done
  wait
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [ -z "${AI_WORKER_URL:-}" ]; then
  scripts/check-go.sh
  go build -o bin/dev ./cmd/dev
  export AI_WORKER_URL="http://localhost:${PORT:-8080}"
  bin/dev &
  running+=($!)
fi

cd examples/nextjs
npm run client
npm ci --prefer-offline
PORT="${EXAMPLE_PORT:-3000}" node node_modules/next/dist/bin/next dev --hostname localhost &
running+=($!)
wait -n # whichever ends first ends the other
