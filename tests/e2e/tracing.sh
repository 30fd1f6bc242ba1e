#!/usr/bin/env bash
# Traces through a real collector (Rotel): an application that OpenTelemetry's SDK traces asks, Palisade
# sends its spans to the collector, and what that forwards is decoded with OpenTelemetry's own messages.
# PALISADE names a binary to take in place of a release build.
set -euo pipefail
cd "$(dirname "$0")/../.."

for program in curl jq python3 sha256sum; do
  command -v "$program" >/dev/null || { echo "missing program: $program (Debian package of that name, sha256sum in coreutils)" >&2; exit 1; }
done
# shellcheck source=lib/venv.bash
. tests/e2e/lib/venv.bash
make_venv tracing
python=$venv/bin/python
rotel=$($python -c 'import importlib.util as u; print(u.find_spec("rotel").submodule_search_locations[0])')/rotel-agent
"$rotel" --version >/dev/null || { echo "the collector of the package rotel does not run here (its library is in the Debian package libpython3.11)" >&2; exit 1; }
export PYTHONDONTWRITEBYTECODE=1

if [ -z "${PALISADE:-}" ]; then
  cargo build --release
  PALISADE=./target/release/palisade
fi

work=$(mktemp -d)
service= collector= keeper=
stop() {
  for child in "$service" "$collector" "$keeper"; do
    [ -z "$child" ] || { kill "$child" 2>/dev/null; wait "$child" 2>/dev/null; } || true
  done
  rm -rf "$work"
}
trap stop EXIT
fail() {
  echo "tracing: $*" >&2
  for log in palisade collector keeper; do echo "--- $log:" >&2; cat "$work/$log.log" >&2; done
  exit 1
}
until_holds() { # within how many seconds, what for, command
  local within=$1 what=$2 left
  shift 2
  for ((left = within * 20; left > 0; left--)); do
    "$@" && return
    [ -z "$service" ] || kill -0 "$service" 2>/dev/null || fail "the service ended, waiting for $what"
    sleep 0.05
  done
  fail "not within $within s: $what"
}
: >"$work/spans" && : >"$work/palisade.log" && : >"$work/collector.log"

# The far end, then the collector before it, then the service.
$python tests/e2e/tracing/keep.py "$work/spans" >"$work/port" 2>"$work/keeper.log" &
keeper=$!
until_holds 10 "the far end" test -s "$work/port"

port=$($python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
collect() {
  "$rotel" start --otlp-http-endpoint "127.0.0.1:$port" --otlp-grpc-endpoint 127.0.0.1:0 --exporter otlp \
    --otlp-exporter-protocol http --otlp-exporter-endpoint "http://127.0.0.1:$(cat "$work/port")" \
    --batch-timeout 100ms >>"$work/collector.log" 2>&1 &
  collector=$!
  until_holds 10 "the collector listens" curl -s -o /dev/null "http://127.0.0.1:$port/"
}
collect

"$PALISADE" serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --shutdown-grace 0s --log-format json \
  --otlp-endpoint "http://127.0.0.1:$port" --trace-sample 0 2>"$work/palisade.log" &
service=$!
address() { # of a listener, once the log tells it
  sed -nE "s/.*\"message\":\"listening\".*\"listener\":\"$1\".*\"address\":\"([0-9][^\"]*)\".*/\1/p" "$work/palisade.log" | head -n 1
}
told() { [ -n "$(address decisions)" ] && [ -n "$(address admin)" ]; }
until_holds 10 "the addresses" told
decisions=$(address decisions) admin=$(address admin)

metric() { curl -sS --fail --max-time 5 "http://$admin/metrics" | sed -n "s/^palisade_trace_$1 //p"; }
ask() { $python tests/e2e/tracing/ask.py "$decisions" "$@"; }
# Whether each of these traces has one span of a request, after the caller's, and no other has.
requests() { jq -c 'select(.kind == "SPAN_KIND_SERVER")' "$work/spans"; }
arrived() { [ "$(requests | jq -r '"\(.trace_id) \(.parent)"' | sort)" = "$(sort "$@")" ]; }

ask 20 off >/dev/null
ask 20 on >"$work/first"
until_holds 10 "the spans of what was recorded, and no others" arrived "$work/first"
requests | jq -s -e 'all(.service == "palisade" and .status == "STATUS_CODE_UNSET"
  and .name == "POST /access/v1/evaluation" and .attributes["palisade.decision"] == "allow"
  and .attributes["http.response.status_code"] == 200)' >/dev/null \
  || fail "spans are not as they should be: $(cat "$work/spans")"
! grep -E 'mona|cats' "$work/spans" || fail "a span tells who asked about what"
echo "-- joined: 20 of 20 that the application records, none of the 20 that it does not; one of them:"
requests | jq -s '.[0]'
echo "-- the first load: $(jq -r 'select(.kind == "SPAN_KIND_INTERNAL") | "\(.name) \(.took_us) us"' "$work/spans" | paste -sd, | sed 's/,/, /g')"

# The collector is killed, and comes back.
kill -9 "$collector"
wait "$collector" 2>/dev/null || true
collector=
ask 20 on >"$work/second"
failed() { [ "$(metric export_errors_total)" -ge 1 ]; }
until_holds 10 "a failure is counted" failed
ask 20 on >>"$work/second"
collect
until_holds 10 "what was asked meanwhile" arrived "$work/first" "$work/second"
again() { grep -q 'again' "$work/palisade.log"; }
until_holds 5 "the log tells that it is well" again
[ "$(metric 'spans_dropped_total{reason="failed"}')" = 0 ] || fail "spans were given up"
echo "-- the collector was killed: failed exports $(metric export_errors_total), 40 of 40 questions answered, 40 of 40 spans there"
jq -r 'select(.target == "palisade::telemetry::trace::export") | "   \(.level) \(.message)"' "$work/palisade.log"

# What is recorded last is not lost.
ask 20 on >"$work/third"
kill -TERM "$service"
wait "$service" || fail "the service did not drain: exit $?"
service=
until_holds 10 "what was asked last" arrived "$work/first" "$work/second" "$work/third"
! grep '"level":"ERROR"' "$work/palisade.log" || fail "errors are in the log"
echo "-- ended at once after 20 questions: 20 of 20 spans there"

echo "tracing: 80 of 80 traces joined, through a collector that was killed once"
