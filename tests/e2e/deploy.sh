#!/usr/bin/env bash
# Deployment, without an engine, a cluster or a running systemd. The image: its Dockerfile linted, built as
# it says, run as it says. Kubernetes: manifests and chart held against the API's schemas, run with their
# own arguments over ConfigMaps laid out as kubelet does, and edited. systemd: the unit verified, and what
# the service does held against its sandbox. PALISADE names a binary to take in place of the image's build.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ "$(id -u)" = 0 ] || { echo "must be run by root, who becomes the image's user" >&2; exit 1; }
declare -A packages=(
  [bwrap]=bubblewrap [curl]=curl [cvc5]=cvc5 [jq]=jq [ldd]=libc-bin [logrotate]=logrotate [nsenter]=util-linux
  [openssl]=openssl [python3]=python3 [setpriv]=util-linux [strace]=strace [systemd-analyze]=systemd
)
for program in "${!packages[@]}"; do
  command -v "$program" >/dev/null || { echo "missing program: $program (Debian package ${packages[$program]})" >&2; exit 1; }
done
here=tests/e2e/deploy
# shellcheck source=lib/venv.bash
. tests/e2e/lib/venv.bash
make_venv deploy
tools=$venv

work=$(mktemp -d)
chmod 755 "$work"
part=start
service=
stop() { [ -z "$service" ] || { kill "$service" 2>/dev/null; wait "$service" 2>/dev/null; } || true; }
trap 'stop; rm -rf "$work"' EXIT
touch "$work/log" "$work/probe"
fail() { echo "deploy: $part: $*" >&2; tail -n 5 "$work/probe" >&2; echo "--- the log:" >&2; tail -n 40 "$work/log" >&2; exit 1; }
step() { part=$1; echo "-- $part"; }

until_holds() { # within how many seconds, what for, command
  local within=$1 what=$2 until=$((SECONDS + $1))
  shift 2
  until "$@"; do
    [ -z "$service" ] || kill -0 "$service" 2>/dev/null || fail "the service ended, waiting for $what"
    [ "$SECONDS" -lt "$until" ] || fail "not within $within s: $what"
    sleep 0.05
  done
}
refuses() { # what must be found, command that has to fail
  local what=$1
  shift
  if "$@" >"$work/out" 2>&1; then fail "not found: $what"; fi
}

# shellcheck source=deploy/image.sh
. "$here/image.sh"
# shellcheck source=deploy/kubernetes.sh
. "$here/kubernetes.sh"
# shellcheck source=deploy/systemd.sh
. "$here/systemd.sh"

echo "deploy: the image was built and run as nobody on a read-only root; manifests and $values sets of values hold against the API, three were run and edited by ConfigMap; the unit's exposure is $exposure"
