#!/usr/bin/env bash
# Faults that need another program: the watcher's thread fails, the clock jumps, there is no inotify, a
# file system raises no events. In each, questions are answered throughout and an edit comes into
# force in time. PALISADE names a binary to take in place of a release build.
set -euo pipefail
cd "$(dirname "$0")/../.."

faketime=$(find /usr/lib -name libfaketimeMT.so.1 2>/dev/null | head -n 1)
for program in curl jq strace unshare; do
  command -v "$program" >/dev/null || { echo "missing program: $program (Debian package of that name, unshare in util-linux)" >&2; exit 1; }
done
[ -n "$faketime" ] || { echo "missing library: libfaketimeMT.so.1 (Debian package faketime)" >&2; exit 1; }

if [ -z "${PALISADE:-}" ]; then
  cargo build --release
  PALISADE=./target/release/palisade
fi
PALISADE=$(realpath "$PALISADE")

work=$(mktemp -d)
part=start
service= caller= tracer=
stop() {
  for child in "$caller" "$tracer" "$service"; do
    [ -z "$child" ] || { kill "$child" 2>/dev/null; wait "$child" 2>/dev/null; } || true
  done
  service= caller= tracer=
}
trap 'stop; rm -rf "$work"' EXIT
fail() { echo "faults: $part: $*" >&2; echo "--- the log:" >&2; cat "$work/log" >&2; exit 1; }

# In milliseconds, by a clock that nobody here turns.
now() { local t=${EPOCHREALTIME/[.,]/}; echo $((t / 1000)); }

until_holds() { # within how many seconds, what for, command
  local within=$1 what=$2 started
  started=$(now)
  shift 2
  until "$@"; do
    [ -z "$service" ] || kill -0 "$service" 2>/dev/null || fail "the service ended, waiting for $what"
    [ $(($(now) - started)) -lt $((within * 1000)) ] || fail "not within $within s: $what"
    sleep 0.02
  done
  took=$(($(now) - started))
}

address() { # of a listener, once the log tells it
  sed -nE "s/.*\"message\":\"listening\".*\"listener\":\"$1\".*\"address\":\"([0-9][^\"]*)\".*/\1/p" "$work/log" | head -n 1
}
told() { [ -n "$(address decisions)" ] && [ -n "$(address admin)" ]; }

question='{"subject":{"type":"User","id":"a"},"action":{"name":"view"},"resource":{"type":"Doc","id":"d"}}'
ask() { curl -sS --fail --max-time 5 -H 'content-type: application/json' -d "$question" "http://$decisions/access/v1/evaluation"; }
answers() { [ "$(ask)" = "{\"decision\":$1}" ]; }
admin() { curl -sS --fail --max-time 5 "http://$admin$1"; }
metric() { admin /metrics | sed -n "s/^$1 //p"; }
watcher_is() { # up or not, and what `/readyz` calls it
  [ "$(metric palisade_watcher_up)" = "$1" ] && [ "$(admin /readyz | jq -r '.checks.watcher.state')" = "$2" ]
}

effect() { printf '@id("one")\n%s(principal, action, resource);\n' "$1"; }

# Asks without a break until the part ends; what fails is written down.
call() {
  while :; do
    ask >/dev/null 2>>"$work/failed" || echo "failed at $(date)" >>"$work/failed"
    echo >>"$work/asked"
  done
}

begin() { # name of the part, what `palisade` is started by
  part=$1
  shift
  : >"$work/log" && : >"$work/failed" && : >"$work/asked"
  "$@" 2>"$work/log" &
  service=$!
  until_holds 10 "the addresses" told
  decisions=$(address decisions) admin=$(address admin)
  until_holds 10 "the first answer" answers true
  call &
  caller=$!
}

finish() { # what is said of the part
  kill "$caller" && wait "$caller" 2>/dev/null || true
  caller=
  [ ! -s "$work/failed" ] || fail "questions failed: $(cat "$work/failed")"
  kill -TERM "$service"
  wait "$service" || fail "the service did not drain: exit $?"
  service=
  ! grep '"level":"ERROR"' "$work/log" || fail "errors are in the log"
  echo "-- $part: $*; $(wc -l <"$work/asked") questions answered"
}

folder=$work/policies
serving=("$PALISADE" serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --log-format json --shutdown-grace 0s --poll-interval 1s)

# Whether an edit is in force in time: effect, the answer that follows, milliseconds.
edit() {
  effect "$1" >"$folder/new" && mv "$folder/new" "$folder/one.cedar"
  in_force "$2" "$3"
}
in_force() {
  until_holds $(($2 / 1000 + 8)) "the answer $1" answers "$1"
  [ "$took" -le "$2" ] || fail "in force after $took ms, not $2"
}
fresh() { rm -rf "$folder" && mkdir "$folder" && effect permit >"$folder/one.cedar"; }

# Every read of the watcher's thread fails, as on a broken descriptor, until it is traced no more.
fresh
begin "watcher killed" "${serving[@]}" --policies "$folder"
until_holds 5 "the watcher is up" watcher_is 1 ok
thread=$(grep -l '^notify-rs' /proc/"$service"/task/*/comm | head -n 1 | cut -d/ -f5)
[ -n "$thread" ] || fail "no thread is called notify-rs"
strace -p "$thread" -e trace=read -e inject=read:error=EIO -o "$work/strace" 2>"$work/strace.log" &
tracer=$!
attached() {
  kill -0 "$tracer" 2>/dev/null || fail "strace cannot attach (ptrace is forbidden here?): $(cat "$work/strace.log")"
  ! grep -q '^TracerPid:[[:space:]]*0$' "/proc/$service/task/$thread/status"
}
until_holds 5 "strace is attached" attached
edit forbid false 3000
until_holds 5 "the watcher is down" watcher_is 0 degraded
died=$(now)
grep -q 'EIO.*INJECTED' "$work/strace" || fail "nothing was injected: $(cat "$work/strace")"
admin /readyz | jq -e '.ready' >/dev/null || fail "not ready"
edit permit true 3000
polled=$took
[ "$(metric 'palisade_watch_events_total{kind="error"}')" = 1 ] || fail "the watcher's thread does not rest"
kill "$tracer" 2>/dev/null || true
wait "$tracer" 2>/dev/null || true
tracer=
watcher_is 0 degraded || fail "the watcher is up again already"
until_holds 40 "the watcher is up again" watcher_is 1 ok
again=$(($(now) - died))
edit forbid false 2000
finish "down at once, an edit in force by polling after $polled ms, up again after $again ms"

# The wall clock goes back a day and forward ten years; the monotonic clock goes on, as in life.
fresh
echo +0 >"$work/clock"
begin "clock jumps" env "LD_PRELOAD=$faketime" "FAKETIME_TIMESTAMP_FILE=$work/clock" FAKETIME_NO_CACHE=1 \
  FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1 "${serving[@]}" --policies "$folder"
day() { admin /v1/status | jq -r '.loaded_at[0:10]'; }
turn() { # the clock, effect, answer
  echo "$1" >"$work/clock"
  edit "$2" "$3" 2000
  [ "$(day)" = "$(date -u -d "$4" +%F)" ] || fail "the clock was not turned: loaded on $(day)"
}
turn -1d forbid false "-1 day"
turn +3650d permit true "+3650 days"
turn +0 forbid false now
finish "each edit in force within 2 s, on the day before, ten years later, and back"

# The user may have no inotify instance: polling from the start, and it is said.
fresh
unshare --user --map-root-user sh -c 'echo 0 >/proc/sys/user/max_inotify_instances' 2>"$work/why" \
  || fail "no user namespace in which to forbid inotify: $(cat "$work/why")"
begin "no inotify" unshare --user --map-root-user sh -c \
  'echo 0 >/proc/sys/user/max_inotify_instances && exec "$@"' sh "${serving[@]}" --policies "$folder"
until_holds 5 "polling is said" watcher_is 0 degraded
grep -q 'polling only' "$work/log" || fail "the log does not say that it polls"
edit forbid false 3000
finish "polling from the start, an edit in force after $took ms"

# An overlay raises no events for what changes below it.
fresh
mkdir -p "$work"/over/{upper,work,merged} "$work/lower"
rm -rf "$work/lower/policies" && mv "$folder" "$work/lower/policies"
mount='mount -t overlay overlay -o "lowerdir=$0/lower,upperdir=$0/over/upper,workdir=$0/over/work" "$0/over/merged"'
unshare --user --map-root-user --mount sh -c "$mount" "$work" 2>"$work/why" \
  || fail "no overlay can be mounted in a user namespace: $(cat "$work/why")"
begin "no events" unshare --user --map-root-user --mount sh -c "$mount"' && exec "$@"' "$work" \
  "${serving[@]}" --policies "$work/over/merged/policies"
until_holds 5 "the watcher is up" watcher_is 1 ok
# An edit beside the reads after the start would be read with them, and be no poll's surprise.
at_rest() { [ "$(metric 'palisade_reload_duration_seconds_count{phase="read"}')" -ge 3 ]; }
until_holds 5 "the first reads are over" at_rest
effect forbid >"$work/lower/policies/one.cedar"
in_force false 3000
[ "$(admin /metrics | awk '/^palisade_watch_events_total/ { sum += $2 } END { print sum + 0 }')" = 0 ] || fail "there were events"
polled=$took
until_holds 5 "the watcher is not believed" watcher_is 0 degraded
finish "in force by polling after $polled ms, without an event, and the watcher found out"

echo "faults: four survived"
