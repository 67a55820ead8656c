#!/usr/bin/env bash
# Runs a command with a Postgres server of its own, and stops the server when
# the command ends, however it ends:
#
#   scripts/with-postgres.sh go test ./...
#
# The command finds the server's URL in TEST_DATABASE_URL. If that is set
# already, no server is started and the command uses that one. Tests start Redis
# and PgBouncer themselves.
set -euo pipefail

scripts=$(cd "$(dirname "$0")" && pwd)

if [ $# -eq 0 ]; then
  echo "usage: $0 COMMAND [ARGUMENT…]" >&2
  exit 2
fi

# Postgres refuses to run as root. Its own user cannot see into root's
# directories, and TMPDIR may be one of these.
if [ "$(id -u)" -eq 0 ]; then
  dir=$(mktemp -d /tmp/postgres.XXXXXX)
  as_postgres() { (cd / && runuser -u postgres -- "$@"); }
else
  dir=$(mktemp -d "${TMPDIR:-/tmp}/postgres.XXXXXX")
  as_postgres() { "$@"; }
fi

postgres_bin=

# shellcheck disable=SC2317 # the trap calls it
stop_postgres() {
  trap - EXIT
  trap '' INT TERM HUP # a second Ctrl-C must not leave a server behind
  if [ -n "$postgres_bin" ] && [ -f "$dir/postgres/postmaster.pid" ]; then
    as_postgres "$postgres_bin/pg_ctl" stop --silent --mode immediate --pgdata "$dir/postgres" || true
  fi
  rm -rf "$dir"
}
trap stop_postgres EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

fail() { # fail MESSAGE [LOG]
  echo "$0: $1" >&2
  if [ -f "${2:-}" ]; then
    cat "$2" >&2
  fi
  exit 1
}

# random_port prints a port below those that the kernel gives to outgoing
# connections. If it is taken, the server does not start.
random_port() { echo $((20000 + RANDOM % 10000)); }

start_postgres() {
  local password port log=$dir/postgres.log
  postgres_bin=$("$scripts/find-postgres.sh") || fail "Postgres is not installed; 'make setup' tells how"

  # Any user of this machine can connect to the port.
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  echo "$password" >"$dir/password"
  if [ "$(id -u)" -eq 0 ]; then
    chown -R postgres "$dir"
  fi

  as_postgres "$postgres_bin/initdb" --pgdata "$dir/postgres" --username postgres \
    --auth password --pwfile "$dir/password" --encoding UTF8 --no-locale --no-sync \
    >"$dir/initdb.log" 2>&1 || fail "initdb failed" "$dir/initdb.log"

  # The tests need no durability. Many of them connect at once.
  cat >>"$dir/postgres/postgresql.conf" <<-CONF
	listen_addresses = '127.0.0.1'
	unix_socket_directories = ''
	max_connections = 500
	fsync = off
	synchronous_commit = off
	full_page_writes = off
	wal_level = minimal
	max_wal_senders = 0
	CONF

  for _ in 1 2 3 4 5; do
    port=$(random_port)
    if as_postgres "$postgres_bin/pg_ctl" start --silent --wait --pgdata "$dir/postgres" \
      --log "$log" --options "-p $port" >/dev/null 2>&1; then
      export TEST_DATABASE_URL="postgres://postgres:$password@127.0.0.1:$port/postgres?sslmode=disable"
      return
    fi
  done
  fail "Postgres does not start" "$log"
}

[ -n "${TEST_DATABASE_URL:-}" ] || start_postgres

# In the background, because a shell handles no signal while it waits for a
# command in the foreground. A background command ignores Ctrl-C unless told
# otherwise.
(
  trap - INT
  exec "$@"
) <&0 &
command=$!
trap 'kill -INT "$command" 2>/dev/null' INT
trap 'kill -TERM "$command" 2>/dev/null' TERM HUP

# A signal ends a wait early. The loop waits again, so that the command has time
# to end by itself.
status=0
while wait "$command" || status=$?; kill -0 "$command" 2>/dev/null; do
  status=0
done
exit "$status"
