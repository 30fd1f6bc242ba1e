#!/usr/bin/env bash
# How many instructions a decision takes, in process and over HTTP, against what instructions.txt keeps:
# 5 % more of any fails. Valgrind counts them, so that it is no matter what else the machine does.
# tests/e2e/instructions.sh [--update]. PALISADE names a binary to take in place of a release build.
set -euo pipefail
cd "$(dirname "$0")/../.."

kept=tests/e2e/instructions.txt
percent=5

update=
case ${1:-} in
  "") ;;
  --update) update=1 ;;
  *) echo "instructions: \`$1\` is not \`--update\`" >&2; exit 2 ;;
esac

command -v valgrind >/dev/null || { echo "missing program: valgrind (Debian package valgrind)" >&2; exit 1; }

cargo build --release --example instructions
if [ -z "${PALISADE:-}" ]; then
  cargo build --release --bin palisade
  PALISADE=./target/release/palisade
fi
caller=./target/release/examples/instructions

work=$(mktemp -d)
service=
stop() {
  [ -z "$service" ] || { kill "$service" 2>/dev/null; wait "$service" 2>/dev/null; } || true
  rm -rf "$work"
}
trap stop EXIT
fail() {
  echo "instructions: $*" >&2
  cat "$work/log" "$work/valgrind" >&2 2>/dev/null || true
  exit 1
}

counting=(valgrind --tool=callgrind "--log-file=$work/valgrind")

# In process: from the start to the end of each call of one function.
measured=instructions::measured
"${counting[@]}" "--callgrind-out-file=$work/core" "--zero-before=$measured" "--dump-after=$measured" \
  "$caller" core >"$work/cases" 2>"$work/log" || fail "the questions were not answered as expected"
call=0
while read -r name times; do
  call=$((call + 1))
  total=$(sed -n 's/^totals: //p' "$work/core.$call" 2>/dev/null) || fail "valgrind did not find \`$measured\`"
  echo "$name $((total / times))"
done <"$work/cases" >"$work/now"

# Over HTTP: the difference of two runs, so that what is done once is in neither. One thread answers, and
# nothing looks at the files meanwhile.
run() { # kind, times: sets `collected`
  : >"$work/log"
  "${counting[@]}" --callgrind-out-file=/dev/null "$PALISADE" serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 \
    --log-format json --runtime-threads 1 --watch poll --poll-interval 1h --canary off --shutdown-grace 0s 2>"$work/log" &
  service=$!
  local address=
  for _ in $(seq 300); do
    address=$(sed -nE 's/.*"message":"listening","listener":"decisions","address":"([^"]+)".*/\1/p' "$work/log")
    [ -z "$address" ] || break
    kill -0 "$service" 2>/dev/null || fail "the service ended"
    sleep 0.1
  done
  [ -n "$address" ] || fail "the service did not listen within 30 s"
  "$caller" http "$address" "$1" "$2" || fail "$1 was not answered as expected"
  kill -TERM "$service"
  wait "$service" || fail "the service did not drain: exit $?"
  service=
  collected=$(sed -nE 's/.*Collected : ([0-9]+)$/\1/p' "$work/valgrind")
  [ -n "$collected" ] || fail "valgrind did not say what it collected"
}
over_http() { # kind, name, how many decisions each is, fewer and more requests
  run "$1" "$4"
  local fewer=$collected
  run "$1" "$5"
  echo "$2 $(((collected - fewer) / (($5 - $4) * $3)))" >>"$work/now"
}
over_http http-evaluation http-evaluation 1 200 2200
over_http http-batch-of-100 http-batch-item 100 4 24

if [ -n "$update" ]; then
  cp "$work/now" "$kept"
  cat "$kept"
  exit
fi

awk -v percent="$percent" '
  NR == FNR { kept[$1] = $2; next }
  {
    now[$1]
    if (!($1 in kept)) { printf "%-20s %8d instructions, none kept\n", $1, $2; grew = 1; next }
    change = 100 * ($2 / kept[$1] - 1)
    verdict = ""
    if (change > percent) { verdict = ": TOO MANY"; grew = 1 }
    if (change < -percent) { verdict = ": keep that"; shrank = 1 }
    printf "%-20s %8d instructions, %8d kept, %+.1f %%%s\n", $1, $2, kept[$1], change, verdict
  }
  END {
    for (name in kept) if (!(name in now)) { printf "%s is kept, and is not counted any more\n", name; grew = 1 }
    exit grew ? 3 : shrank ? 4 : 0
  }
' "$kept" "$work/now" && held=0 || held=$?
how="tests/e2e/instructions.sh --update writes what is counted now to $kept; commit it with the reason."
case $held in
  0) echo "instructions: all within $percent % of $kept" ;;
  3) echo "instructions: a decision takes more than is kept, or another case is counted, see above. If that is meant, or compiler or machine are others: $how" >&2; exit 1 ;;
  4) echo "instructions: a decision takes less than is kept, so that as much could be lost again unseen. $how" ;;
  *) fail "could not compare with $kept" ;;
esac
