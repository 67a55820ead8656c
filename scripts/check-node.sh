#!/bin/sh
# Checks that Node.js is there, and new enough for the npm package and the
# example.
set -eu

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "Node.js 20.19 or newer, with npm, is not installed: https://nodejs.org/" >&2
  exit 1
fi
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
  echo "Node.js 20.19 or newer is needed, and $(command -v node) is $(node --version): https://nodejs.org/" >&2
  exit 1
fi
