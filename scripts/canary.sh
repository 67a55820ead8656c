#!/usr/bin/env bash
# Ends a canary that a deploy with CANARY and CANARY_MINUTES=0 began, or that
# was cut short:
#
#   PROJECT=my-project scripts/canary.sh promote   # all traffic to the new version
#   PROJECT=my-project scripts/canary.sh abort     # all traffic to the version of before
#
# Both may be run again after they were killed.
set -euo pipefail

case $* in
  promote | abort) ;;
  *)
    echo "usage: [SETTING=…] $0 promote|abort; the settings are in cloud.sh" >&2
    exit 2
    ;;
esac
readonly name=canary

# shellcheck source=scripts/cloud.sh
. "$(dirname "$0")/cloud.sh"

if [ "$1" = abort ]; then
  exec "$(dirname "$0")/rollback.sh" canary
fi

find_services
under_way=false
shared=() # services whose candidate is not all that serves
for service in "${services[@]}"; do
  traffic=$(traffic_of "$service")
  latest=$(latest_of "$service")
  if [ "$traffic" != "100,$latest" ]; then
    shared+=("$service")
    case $traffic in 100,*) ;; *) under_way=true ;; esac
  fi
done

worker=$(latest_of "$WORKER_SERVICE")
image=$(image_of "$worker")
if [ ${#shared[@]} -eq 0 ]; then
  [ "$(version_of "${image%@*}" live)" != "${image#*@}" ] ||
    fail "no canary is under way: $worker has all traffic, and its image the tag live"
elif [ "$under_way" = false ] && [ ${#shared[@]} -eq ${#services[@]} ]; then
  fail "no canary is under way: the latest revisions have no traffic at all, as a deploy leaves them that was killed. Deploy again"
fi
for service in "${services[@]}"; do
  latest=$(latest_of "$service")
  [ "$(image_of "$latest")" = "$image" ] || fail "$latest runs another image than $worker: deploy again"
done
for service in ${shared[@]+"${shared[@]}"}; do
  ask_health "$service" >/dev/null
done
for service in ${shared[@]+"${shared[@]}"}; do
  say "all traffic of $service to its latest revision"
  run services update-traffic "$service" --to-latest --remove-tags="$tag"
done
tag_live "$image"
say "$image is in service; \`scripts/rollback.sh previous\` goes back"
