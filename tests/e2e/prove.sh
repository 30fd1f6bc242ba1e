#!/usr/bin/env bash
# What needs a real solver. `palisade prove` proves every edition; `serve --prove=enforce` refuses edits that
# are wrong, with a counterexample, and has good ones in force in time. PALISADE names a binary to take in
# place of a release build, EDITIONS those to prove.
set -euo pipefail
cd "$(dirname "$0")/../.."

for program in curl jq cvc5; do
  command -v "$program" >/dev/null || { echo "missing program: $program (Debian package of that name)" >&2; exit 1; }
done

if [ -z "${PALISADE:-}" ]; then
  cargo build --release
  PALISADE=./target/release/palisade
fi
PALISADE=$(realpath "$PALISADE")

work=$(mktemp -d)
part=start
service=
stop() { [ -z "$service" ] || { kill -KILL "$service" && wait "$service"; } 2>/dev/null || true; service=; }
trap 'stop; rm -rf "$work"' EXIT
fail() { echo "prove: $part: $*" >&2; [ ! -s "$work/log" ] || { echo "--- the log:" >&2; cat "$work/log" >&2; }; exit 1; }
now() { local t=${EPOCHREALTIME/[.,]/}; echo $((t / 1000)); }

# ---- The editions ----

part=editions
for edition in ${EDITIONS:-enterprise enterprise-2023 teams}; do
  started=$(now)
  "$PALISADE" prove --edition "$edition" >"$work/told" 2>"$work/log" || fail "$edition: exit $?: $(cat "$work/told")"
  echo "-- $(head -n 1 "$work/told"): proved in $(($(now) - started)) ms"
done

# ---- The gate ----

: >"$work/log"
fresh() { # a copy of what ships
  rm -rf "$work/root" && mkdir "$work/root"
  cp -r policies schema deploy "$work/root/"
}
serve() { # more flags
  : >"$work/log"
  "$PALISADE" serve --root "$work/root" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --log-format json \
    --shutdown-grace 0s --prove=enforce "$@" 2>"$work/log" &
  service=$!
  for _ in $(seq 1200); do
    admin=$(sed -nE 's/.*"message":"listening".*"listener":"admin".*"address":"([0-9][^"]*)".*/\1/p' "$work/log" | head -n 1)
    [ -z "$admin" ] || break
    kill -0 "$service" 2>/dev/null || fail "the service ended"
    sleep 0.05
  done
  [ -n "$admin" ] || fail "not up within a minute"
  # The reads after the start are over: an edit is an event of its own.
  sleep 2.5
}
status() { curl -sS --fail --max-time 5 "http://$admin/v1/status"; }
metric() { curl -sS --fail --max-time 5 "http://$admin/metrics" | sed -n "s/^$1 //p"; }
drain() {
  kill -TERM "$service" && wait "$service" || fail "the service did not drain: exit $?"
  service=
}

guards=policies/enterprise/guards.cedar
access=policies/enterprise/data_access.cedar

# The text of a file with one policy changed: file, id, a Perl substitution on the policy's text.
changed() {
  ID=$2 perl -0777 -pe '
    BEGIN { $change = shift @ARGV; }
    s{(\@id\("\Q$ENV{ID}\E"\).*?;\n)}{ local $_ = $1; my $before = $_; eval $change; die $@ if $@; die "nothing changed\n" if $_ eq $before; $_ }es or die "no such policy\n";
  ' "$3" "$work/root/$1"
}

# Edits, and waits until that is judged. Sets `attempt` and `took`.
judged() { # command that edits
  local before started
  before=$(status | jq '.attempts | length')
  started=$(now)
  "$@"
  until [ "$(status | jq '.attempts | length')" -gt "$before" ]; do
    [ $(($(now) - started)) -lt 60000 ] || fail "not judged within a minute"
    sleep 0.005
  done
  took=$(($(now) - started))
  attempt=$(status | jq -c '.attempts[-1]')
}
save() { judged mv "$work/new" "$work/root/$1"; } # file
back() { cp "$1" "$work/new" && save "$1"; }

refused() { # what for, what some finding says
  jq -e '.result == "rejected" and .reason == "proof"' >/dev/null <<<"$attempt" || fail "$1: not refused: $attempt"
  jq -e --arg text "$2" '[.findings[].message] | any(contains($text))' >/dev/null <<<"$attempt" \
    || fail "$1: no finding says \`$2\`: $attempt"
  jq -e '[.findings[] | select(.message | startswith("not so: ")) | .help] | any(contains("palisade decide"))' >/dev/null <<<"$attempt" \
    || fail "$1: no counterexample: $attempt"
  [ "$(status | jq -r .revision)" = "$revision" ] || fail "$1: another revision is in force"
  told=$(jq -r '[.findings[].message | select(startswith("not so: "))][0]' <<<"$attempt")
  echo "-- $1: refused after $took ms: ${told:0:150}"
}
applied() { # what
  jq -e '.result == "applied"' >/dev/null <<<"$attempt" || fail "$1: $attempt"
  echo "-- $1: in force after $took ms ($(jq -c .duration_ms <<<"$attempt"))"
}

part="wrong edits"
fresh
serve --canary=off
revision=$(status | jq -r .revision)
cold=$(status | jq '.attempts[0].duration_ms.prove | floor')
echo "-- what ships: proved in $cold ms, before anything is served"

changed $access export-data.manager 's/when \{ principal.role == Role::"manager" \}/when { principal.role in [Role::"manager", Role::"annotator"] }/' >"$work/new"
save $access
refused "annotators may export" 'invariant `'
back $access
changed $guards guard.status '$_ = ""' >"$work/new"
save $guards
refused "the guard on status is gone" 'invariant `'
back $guards
changed $guards guard.organization 's/resource in principal.organization/true/' >"$work/new"
save $guards
refused "organizations see each other" 'invariant `'
back $guards
{ cat $guards; printf '@id("planted.overflow")\nforbid (principal, action == Action::"workspace.delete", resource is Workspace)\nwhen { resource.project_count + 9223372036854775807 > 0 && false };\n'; } >"$work/new"
save $guards
refused "a forbid that fails" '`planted.overflow` never fails'
back $guards
count=$(metric 'palisade_reloads_total{reason="proof",result="rejected"}')
[ "$count" = 4 ] || fail "$count refusals are counted, not 4"
[ "$(metric palisade_sources_stale)" = 0 ] || fail "the files are back, and stale"
drain

part="good edits"
fresh
serve
revision=$(status | jq -r .revision)
{ echo "// A remark."; cat $access; } >"$work/new"
save $access
applied "a remark"
changed $access export-data.manager 's/;\n$/\nwhen { resource in principal.organization || 1 > 2 };\n/' >"$work/new"
save $access
applied "one policy, in other words"
changed $access export-data.administrator-owner 's/;\n$/\nwhen { 1 < 2 };\n/' >"$work/new"
save $access
applied "another policy"
changed $guards guard.organization 's/resource in principal.organization/!!(resource in principal.organization)/' >"$work/new"
save $guards
# It is part of every claim there is about what is permitted.
applied "a guard of every action"
cells() { grep -o '"message":"proved [0-9]* of [0-9]* cells"' "$work/log" | tail -n 1; }
for _ in $(seq 600); do
  [ "$(grep -c '"message":"proved ' "$work/log" || true)" -lt 2 ] || break
  sleep 0.1
done
[ -n "$(cells)" ] || fail "the cells of what is in force are not proved"
echo "-- the cells of what is in force: $(cells)"
{ cat "$work/root/$access"; printf '@id("planted.dead")\npermit (principal, action == Action::"data.export", resource is Project)\nwhen { principal.role == Role::"owner" && resource in principal.organization };\n'; } >"$work/new"
save $access
applied "a policy that decides nothing"
status | jq -e '.warnings[] | select(.message | startswith("`planted.dead` decides nothing"))' >/dev/null ||
  fail "nobody is told that it decides nothing: $(status | jq -c .warnings)"
judged mv "$work/root/policies/invariants/rights.cedar" "$work/rights.cedar"
applied "invariants taken away"
status | jq -e '.warnings[] | select(.message | contains("invariants would be gone"))' >/dev/null ||
  fail "nobody is told of invariants that are gone: $(status | jq -c .warnings)"
judged rm "$work"/root/policies/invariants/*.cedar
jq -e '.result == "rejected" and (.findings[0].message | contains("invariants would be gone"))' >/dev/null <<<"$attempt" ||
  fail "no invariant is left, and that is taken: $attempt"
echo "-- no invariant left: refused after $took ms"
drain

part="no wider"
fresh
serve --canary=off --prove-no-wider
revision=$(status | jq -r .revision)
changed $access export-data.manager 's/when\n\{.*\};/when { true };/s' >"$work/new"
save $access
refused "Managers export everywhere" 'not so: no more is allowed than before'
back $access
# The same in other words is no wider, whichever came first.
changed $access export-data.administrator-owner 's/resource in principal/resource.workspace in principal/' >"$work/new"
save $access
applied "the boundary by attribute"
back $access
applied "the boundary by parents"
changed $access view-project-data.annotator.project 's/;\n$/\nwhen { principal.role == Role::"annotator" };\n/' >"$work/new"
save $access
applied "a narrower permit"
drain

part="much to prove"
fresh
serve --canary=off --prove-time=10s
revision=$(status | jq -r .revision)
{
  cat $access
  for n in $(seq 2000); do
    printf 'permit (principal == Member::"m%s", action == Action::"data.export", resource == Project::"p%s");\n' "$n" "$n"
  done
} >"$work/new"
save $access
jq -e '.result == "rejected" and .reason == "proof"' >/dev/null <<<"$attempt" || fail "taken: $attempt"
[ "$took" -le 16000 ] || fail "judged after $took ms"
echo "-- 2,000 permits by name: refused after $took ms: $(jq -r '.findings[0].message' <<<"$attempt" | cut -c -150)"
back $access
drain

part="no solver"
code=0
CVC5=$work/none "$PALISADE" serve --root "$work/root" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --prove=enforce 2>"$work/log" || code=$?
[ "$code" = 4 ] || fail "exit $code, not 4"
grep -q "there is no solver" "$work/log" || fail "it does not say why"
echo "-- without a solver nothing is enforced: exit 4"

echo "prove: everything is proved, or refused"
