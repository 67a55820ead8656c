#!/bin/sh
# Checks that this machine has everything that `make test` needs. As root on
# Debian or Ubuntu, or in CI, it installs what is missing. Anywhere else it only
# says what to install, and leaves the change to the machine's owner.
set -eu
cd "$(dirname "$0")"

./check-go.sh

debian=""
homebrew=""
need() { # need CHECK DEBIAN-PACKAGES HOMEBREW-FORMULA
  if ! eval "$1" >/dev/null 2>&1; then
    debian="$debian $2"
    homebrew="$homebrew $3"
  fi
}
need ./find-postgres.sh postgresql postgresql@17
need "command -v redis-server" redis-server redis
need "command -v pgbouncer || test -x /usr/sbin/pgbouncer" pgbouncer pgbouncer
need "command -v cc" "gcc libc6-dev" gcc # a C compiler links the race detector
need "command -v shellcheck" shellcheck shellcheck
need "command -v tmux" tmux tmux
need "command -v chromium || command -v chromium-browser || command -v google-chrome || test -x '${CHROMIUM:-}'" chromium chromium

./check-node.sh

if [ -z "$debian" ]; then
  exit 0
fi

if command -v apt-get >/dev/null; then
  if [ "$(id -u)" -eq 0 ]; then
    sudo=""
  elif [ -n "${CI:-}" ]; then
    sudo=sudo
  else
    echo "Not installed yet, and needed by the tests. Install with:" >&2
    echo "  sudo apt-get install$debian" >&2
    exit 1
  fi
  echo "Installing:$debian"
  # shellcheck disable=SC2086 # the packages are words on purpose
  $sudo apt-get update -qq &&
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends $debian
  exit
fi

echo "Not installed yet, and needed by the tests. With Homebrew:" >&2
echo "  brew install$homebrew" >&2
exit 1
