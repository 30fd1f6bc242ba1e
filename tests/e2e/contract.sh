#!/usr/bin/env bash
# The contract, held against the running service by strangers: a validator of OpenAPI documents reads it,
# and schemathesis asks what it allows and what it does not, of both listeners, with credentials and
# without. PALISADE names a binary to take in place of a release build.
set -euo pipefail
cd "$(dirname "$0")/../.."

for program in curl jq python3 sha256sum; do
  command -v "$program" >/dev/null || { echo "missing program: $program (Debian package of that name, sha256sum in coreutils)" >&2; exit 1; }
done

# shellcheck source=lib/venv.bash
. tests/e2e/lib/venv.bash
make_venv contract

if [ -z "${PALISADE:-}" ]; then
  cargo build --release
  PALISADE=./target/release/palisade
fi
PALISADE=$(realpath "$PALISADE")

work=$(mktemp -d)
service=
part=start
stop() {
  [ -z "$service" ] || { kill "$service" 2>/dev/null; wait "$service" 2>/dev/null; } || true
  service=
}
trap 'stop; rm -rf "$work"' EXIT
fail() { echo "contract: $part: $*" >&2; echo "--- the log:" >&2; tail -n 30 "$work/log" | cut -c1-300 >&2; exit 1; }

address() { # of a listener, once the log tells it
  sed -nE "s/.*\"message\":\"listening\".*\"listener\":\"$1\".*\"address\":\"([0-9][^\"]*)\".*/\1/p" "$work/log" | head -n 1
}
until_holds() { # what for, command
  local what=$1
  shift
  for _ in $(seq 300); do
    "$@" && return
    kill -0 "$service" 2>/dev/null || fail "the service ended, waiting for $what"
    sleep 0.1
  done
  fail "in vain: $what"
}
told() { [ -n "$(address decisions)" ] && [ -n "$(address admin)" ]; }

begin() { # name of the part, what `palisade serve` is started with
  part=$1
  shift
  : >"$work/log"
  "$PALISADE" serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --log-format json --shutdown-grace 0s "$@" 2>"$work/log" &
  service=$!
  until_holds "the addresses" told
  decisions=http://$(address decisions) admin=http://$(address admin)
  until_holds "the service is ready" curl -sf -o "$work/ready" "$admin/readyz"
  curl -sf "$decisions/openapi.json" >"$work/openapi.json" || fail "no contract"
}

finish() {
  kill -TERM "$service"
  wait "$service" || fail "the service did not drain: exit $?"
  service=
  ! grep '"level":"ERROR"' "$work/log" || fail "errors are in the log"
}

export PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
export CONTRACT_HOOKS=$PWD/tests/e2e/contract/hooks.py CONTRACT_SCHEMA=yes

# schemathesis on one listener: its URL, how many operations there are, how many requests each, and more
# of its arguments.
stranger() {
  local url=$1 operations=$2 requests=$3 report=$work/report.json
  shift 3
  (cd "$work" && "$OLDPWD/$venv/bin/schemathesis" --no-color --config-file "$OLDPWD/tests/e2e/contract/schemathesis.toml" \
    run "$decisions/openapi.json" --url "$url" --max-examples "$requests" --report json --report-json-path "$report" "$@") \
    >"$work/said" 2>&1 || { cut -c1-400 "$work/said" >&2; fail "what the service does is not what the contract says"; }
  jq -e --argjson want "$operations" '.complete and .operations.tested == $want and .test_cases.with_failures == 0 and .errors == []' "$report" >/dev/null \
    || fail "not all of $operations operations were tested: $(jq -c '[.operations, .test_cases, .errors]' "$report")"
  # Of what fits the contract.
  jq -r --arg part "$part" '
    [.valid_rates[][]] as $rates
    | "-- \($part): \(.operations.tested) operations, \(.test_cases.generated) requests, \(.test_cases.unique_failures) failures, \(.filtered) reports of what is as it should be;"
    + " of \([$rates[] | .accepted + .rejected] | add) requests that fit the contract \([$rates[].accepted] | add) were answered 200"' "$report"
  # Every operation has answered what it is there for.
  jq -e '[.valid_rates[] | [.[].accepted] | add > 0] | all' "$report" >/dev/null \
    || fail "never answered with what was asked for: $(jq -c '.valid_rates | with_entries(select([.value[].accepted] | add == 0)) | keys' "$report")"
}
of_decisions=(--include-path-regex . --exclude-tag admin --exclude-tag gateways)
of_gateways=(--include-tag gateways)
of_callers='any(.[]; . == "admin" or . == "gateways") | not'
of_admin=(--include-tag admin)
count() { # operations of the contract, by a condition on `tags`
  jq --arg tag "${2:-}" "[.paths[] | .[] | objects | select(.operationId) | select(.tags | $1)] | length" "$work/openapi.json"
}

# The shipped policies, of which an edit then takes most away: the shrink gate refuses it, so that there
# is something to accept.
cp -r policies/enterprise "$work/policies"
begin "decisions" --edition enterprise --policies "$work/policies" --rollback 3 --candidate same=policies/enterprise
"$venv/bin/openapi-spec-validator" "$work/openapi.json" >"$work/said" 2>&1 || { cat "$work/said" >&2; fail "the document is no OpenAPI"; }
echo "-- openapi-spec-validator: $(jq -r '.openapi' "$work/openapi.json"), $(count true) operations, nothing to say"
stranger "$decisions" "$(count "$of_callers")" 100 "${of_decisions[@]}"
curl -sf "$admin/metrics" >"$work/metrics"
decided() { awk -v it="decision=\"$1\"" '/^palisade_decisions_total/ && index($0, it) { sum += $2 } END { print sum + 0 }' "$work/metrics"; }
echo "-- decisions: $(decided allow) times allow, $(decided deny) times deny"
[ "$(decided allow)" -gt 20 ] && [ "$(decided deny)" -gt 20 ] || fail "hardly anything was decided"

part=admin
find "$work/policies" -name '*.cedar' ! -name guards.cedar -delete
refused() { export CONTRACT_ACCEPTABLE && CONTRACT_ACCEPTABLE=$(curl -sf "$admin/v1/status" | jq -er '.rollback.acceptable'); }
until_holds "a gate refuses" refused
stranger "$admin" "$(count 'index("admin")')" 50 "${of_admin[@]}"
unset CONTRACT_ACCEPTABLE
finish

# The same for callers who have to say who they are. What an operation demands is what the contract says.
token=$(head -c 32 /dev/urandom | sha256sum | cut -d' ' -f1)
sha256=$(printf %s "$token" | sha256sum | cut -d' ' -f1)
printf '[[bearer]]\nname = "stranger"\nsha256 = "%s"\n' "$sha256" >"$work/credentials.toml"
export CONTRACT_GUARDED=yes
begin "decisions, guarded" --credentials "$work/credentials.toml" --admin-credentials "$work/credentials.toml" --rollback 3
stranger "$decisions" "$(count "$of_callers")" 15 "${of_decisions[@]}" -H "Authorization: Bearer $token"
part="admin, guarded"
stranger "$admin" "$(($(count 'index("admin")') - 1))" 15 "${of_admin[@]}" --exclude-operation-id accept -H "Authorization: Bearer $token"
part="strangers"
turned_away=0 let_in=0
while read -r url method path open; do
  code=$(curl -s -o "$work/answer" -w '%{http_code}' -X "${method^^}" "${!url}$path")
  if [ "$open" = true ]; then
    [ "$code" = 200 ] || fail "$method $path is open, and answered $code"
    let_in=$((let_in + 1))
  else
    [ "$code" = 401 ] || fail "$method $path answered $code to somebody without credentials"
    turned_away=$((turned_away + 1))
  fi
done < <(jq -r '.paths | to_entries[] | .key as $path | (if .value.servers then "admin" else "decisions" end) as $url
  | .value | to_entries[] | select(.value.operationId? and (.value.tags | index("gateways") | not)) | "\($url) \(.key) \($path) \(.value.security // [{bearer: []}] | all(keys - ["mutualTLS"] == []))"' "$work/openapi.json")
[ $((turned_away + let_in)) -eq "$(count 'index("gateways") | not')" ] || fail "asked $((turned_away + let_in)) operations"
echo "-- strangers: $turned_away operations turned them away, $let_in are open"
finish
unset CONTRACT_GUARDED

# What gateways ask, of somebody whom they know.
begin "gateways" --gateway deploy/gateways/label-studio.toml
stranger "$decisions" "$(count 'index("gateways")')" 50 "${of_gateways[@]}" --phases examples,coverage,fuzzing -H "X-Auth-User: mona"
finish

# Cedar's own endpoints, with no schema that could refuse what the contract allows.
mkdir "$work/any"
echo '@id("some") permit (principal, action, resource) when { principal == resource || context has a };' >"$work/any/any.cedar"
unset CONTRACT_SCHEMA
begin "cedar, without a schema" --policies "$work/any"
stranger "$decisions" "$(count 'index("cedar")')" 100 --include-tag cedar --phases examples,coverage,fuzzing
finish

echo "contract: both listeners do what it says"
