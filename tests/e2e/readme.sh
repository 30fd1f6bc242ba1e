#!/usr/bin/env bash
# The README, as a stranger follows it: the service on its default addresses, every question, every answer.
set -euo pipefail
cd "$(dirname "$0")/../.."

for program in curl jq; do
  command -v "$program" >/dev/null || { echo "missing program: $program" >&2; exit 1; }
done

cargo build --release
log=$(mktemp)
./target/release/palisade serve 2>"$log" &
service=$!
trap 'kill "$service" 2>/dev/null; wait "$service" 2>/dev/null || true; rm -f "$log"' EXIT

for _ in $(seq 100); do
  ./target/release/palisade health >/dev/null 2>&1 && break
  kill -0 "$service" || { echo "the service ended:" >&2; cat "$log" >&2; exit 1; }
  sleep 0.1
done
./target/release/palisade health

asked=0
expect() { # what was asked, what was answered, what the README says
  asked=$((asked + 1))
  [ "$2" = "$3" ] || { printf 'asked    %s\nanswered %s\nexpected %s\n' "$1" "$2" "$3" >&2; exit 1; }
}

# The three curls to the default address: the line after each is its answer.
while IFS= read -r command && IFS= read -r answer; do
  expect "$command" "$(bash -c "$command")" "${answer#\# }"
done < <(grep -A1 --no-group-separator '^curl .*http://127.0.0.1:8180/' README.md)
[ "$asked" -eq 3 ] || { echo "found $asked curls in README.md, not 3" >&2; exit 1; }

# The table of questions: | question | `body` | `answer` |
while IFS='|' read -r _ _ body answer _; do
  body=$(sed 's/^ *`//; s/` *$//' <<<"$body")
  answer=$(sed 's/^ *`//; s/` *$//' <<<"$answer")
  expect "$body" "$(curl -s -H 'content-type: application/json' -d "$body" http://127.0.0.1:8180/access/v1/evaluation)" "$answer"
done < <(grep -E '^\| .* \| `\{"subject"' README.md)
[ "$asked" -eq 8 ] || { echo "asked $asked questions of README.md, not 8" >&2; exit 1; }

# The example organization's page: every row of the table, one member permitted and one denied.
while IFS='|' read -r _ row action resource permitted denied context _; do
  read -r resource_type resource_id <<<"$(tr -d '`' <<<"$resource")"
  for member in "$permitted true" "$denied false"; do
    read -r id decision <<<"$(tr -d '`' <<<"$member")"
    body=$(jq -nc --arg id "$id" --arg action "$(tr -d '` ' <<<"$action")" --arg type "$resource_type" \
      --arg resource "$resource_id" --argjson context "$(tr -d '` ' <<<"$context" | grep . || echo '{}')" \
      '{subject: {type: "Member", id: $id}, action: {name: $action}, resource: {type: $type, id: $resource}, context: $context}')
    expect "$row $body" "$(curl -s -H 'content-type: application/json' -d "$body" http://127.0.0.1:8180/access/v1/evaluation)" "{\"decision\":$decision}"
  done
done < <(grep -E '^\| T[0-9]{2}' deploy/demo/README.md)
[ "$asked" -eq 60 ] || { echo "asked $asked questions in all, not 60" >&2; exit 1; }

for edition in enterprise enterprise-2023 teams; do
  ./target/release/palisade matrix --edition "$edition" --against tests/fixtures/table.csv
done

kill -TERM "$service"
wait "$service" || { echo "the service did not drain: exit $?" >&2; cat "$log" >&2; exit 1; }
trap 'rm -f "$log"' EXIT
echo "readme: $asked questions answered as written"
