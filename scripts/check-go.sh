#!/bin/sh
# Fails with one sentence, instead of a page of errors, if Go is missing or too
# old.
set -eu
cd "$(dirname "$0")/.."

wanted=$(sed -n 's/^go //p' go.mod)
if ! command -v go >/dev/null; then
  echo "Go is not installed. This project needs Go $wanted or newer: https://go.dev/dl/" >&2
  exit 1
fi

# Since 1.21, the go command fetches the toolchain that go.mod asks for, and
# reports that one here. The suffix of a development build is dropped.
found=$(go env GOVERSION 2>/dev/null | sed -e 's/^go//' -e 's/[^0-9.].*//')
oldest=$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1)
if [ "$oldest" != "$wanted" ]; then
  echo "This project needs Go $wanted or newer, and $(command -v go) is ${found:-older}: https://go.dev/dl/" >&2
  exit 1
fi
