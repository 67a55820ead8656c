#!/bin/sh
# Prints the directory of Postgres's server programs, which Debian and Homebrew
# keep out of PATH. Fails if there is none.
set -eu

for dir in \
  "$(dirname "$(command -v initdb || true)")" \
  "$(pg_config --bindir 2>/dev/null || true)" \
  $(printf '%s\n' /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin | sort -rV); do
  if [ -x "$dir/initdb" ] && [ -x "$dir/pg_ctl" ]; then
    echo "$dir"
    exit 0
  fi
done
exit 1
