#!/usr/bin/env bash
# Wrong edits of the shipped policies, one of each kind, each told by `palisade diff` as a revision and
# as a folder, its counterexamples asked again of both sides, and caught by `palisade prove`. PALISADE
# names a binary to take in place of a release build, CVC5 a solver in place of cvc5.
set -euo pipefail
cd "$(dirname "$0")/../.."

for program in git jq; do
  command -v "$program" >/dev/null || { echo "missing program: $program (Debian package of that name)" >&2; exit 1; }
done
command -v "${CVC5:-cvc5}" >/dev/null || { echo "missing program: ${CVC5:-cvc5} (Debian package cvc5)" >&2; exit 1; }

if [ -z "${PALISADE:-}" ]; then
  cargo build --release
  PALISADE=./target/release/palisade
fi
PALISADE=$(realpath "$PALISADE")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
part=start
fail() { echo "diff: $part: $*" >&2; exit 1; }

# A repository whose root is below its top, as in one that has more than policies.
repository=$work/repository root=$work/repository/services/authz
mkdir -p "$root/deploy/demo"
cp -r policies schema "$root/"
cp deploy/demo/entities.json "$root/deploy/demo/"
commit() {
  git -C "$repository" add -A
  git -C "$repository" -c user.name=e2e -c user.email=e2e@localhost -c commit.gpgsign=false commit -q -m "$1"
}
git -C "$repository" init -q
commit base
base=$(git -C "$repository" rev-parse HEAD)
before=$work/before
cp -r "$root" "$before"

# Runs the binary in a root and keeps what it says; the exit code is for whoever asks.
palisade() {
  code=0
  (cd "$1" && shift && exec "$PALISADE" "$@") >"$work/out" 2>"$work/err" || code=$?
}

# Each edits the folder it is given.
between() { sed -i "/@id(\"$2\")/,/;/{$3}" "$1"; }
role() { between "$1/data_access.cedar" export-data.administrator-owner 's/Role::"owner"\]/Role::"owner", Role::"reviewer"]/'; }
dropped_forbid() { between "$1/guards.cedar" guard.sandbox.project d; }
dropped_conjunct() { between "$1/data_access.cedar" export-data.manager 's/principal.role == Role::"manager"/true/'; }
erring_forbid() {
  printf '\n@id("planted.erring")\nforbid (principal, action, resource is Workspace)\nwhen { resource.project_count + 9223372036854775807 > 0 };\n' >>"$1/guards.cedar"
}
# It is true of nothing: it fails, or is false.
only_erring_forbid() {
  printf '\n@id("planted.erring")\nforbid (principal, action, resource is Workspace)\nwhen { resource.project_count + 9223372036854775807 < -1 };\n' >>"$1/guards.cedar"
}
dead() {
  printf '\n@id("planted.dead")\npermit (principal, action == Action::"data.export", resource is Project)\nwhen { principal.role == Role::"owner" && resource in principal.organization };\n' >>"$1/data_access.cedar"
}

# Asks each printed question again, of the policies before and of those after.
asked_again() {
  local number=0 count question
  count=$(jq '[.shapes[].differences[]] | length' "$work/told")
  while [ "$number" -lt "$count" ]; do
    jq -c "[.shapes[].differences[]][$number]" "$work/told" >"$work/one"
    question=$work/question.json
    jq -c .question "$work/one" >"$question"
    for side in before after; do
      case $side in before) of=$before ;; after) of=$root ;; esac
      palisade "$of" decide "$question" --edition enterprise
      [ "$(jq -r .decision "$work/out")" = "$(jq -r ".$side.decision" "$work/one")" ] ||
        fail "decided otherwise $side: $(cat "$question" "$work/out" "$work/err")"
      [ "$(jq -c .policies "$work/out")" = "$(jq -c ".$side.policies" "$work/one")" ] ||
        fail "decided by others $side: $(cat "$question" "$work/out")"
    done
    number=$((number + 1))
  done
  asked=$count
}

printf '%-20s %5s %9s %8s %7s %6s %s\n' edit exit narrower wider asked ms caught

# name, exit code of diff, direction, shapes that must be among those told, what `prove` must say
try() {
  part=$1
  local expected=$2 direction=$3 shapes=$4 finding=$5 started
  "$1" "$root/policies/enterprise"
  commit "$1"
  local edited=$work/edited
  rm -rf "$edited" && cp -r "$root/policies/enterprise" "$edited"
  started=${EPOCHREALTIME/[.,]/}
  palisade "$root" diff "$base" HEAD --format json
  took=$(((${EPOCHREALTIME/[.,]/} - started) / 1000))
  [ "$code" = "$expected" ] || fail "exit $code, not $expected: $(cat "$work/out" "$work/err")"
  cp "$work/out" "$work/told"
  [ "$(jq '.policies | length' "$work/told")" = 1 ] || fail "not one policy: $(jq -c .policies "$work/told")"
  jq -e '.unknown | not' "$work/told" >/dev/null || fail "something is not known: $(jq -c '.shapes[].unknown[]' "$work/told")"
  local others
  others=$(jq -r --arg is "$direction" '[.shapes[].state | select(. != "unchanged" and . != $is)] | length' "$work/told")
  [ "$others" = 0 ] || fail "not all is $direction"
  for shape in $shapes; do
    jq -e --arg shape "$shape" --arg is "$direction" \
      '.shapes[] | select("\(.action):\(.resource_type)" == $shape) | .state == $is' "$work/told" >/dev/null ||
      fail "$shape is not $direction: $(cat "$work/told")"
  done
  asked_again
  [ "$1" != dead ] || jq -e '.policies[0].decides_nothing' "$work/told" >/dev/null || fail "it is not told that it decides nothing"

  # The same by folder, but for where the policies stand; and in the other forms.
  palisade "$root" diff "$base" "$edited" --format json
  [ "$code" = "$expected" ] || fail "by folder: exit $code: $(cat "$work/out" "$work/err")"
  same() { jq -c '[.shapes[] | [.action, .resource_type, .state]], .cells' "$1"; }
  [ "$(same "$work/out")" = "$(same "$work/told")" ] || fail "a folder and a revision are told otherwise"
  for format in text md; do
    palisade "$root" diff "$before" . --format "$format"
    [ "$code" = "$expected" ] || fail "$format: exit $code: $(cat "$work/out" "$work/err")"
  done
  if [ "$direction" = narrower ]; then
    palisade "$root" diff "$base" HEAD --fail-on wider
    [ "$code" = 0 ] || fail "narrowing fails in spite of --fail-on wider: exit $code"
  fi

  palisade "$root" prove --edition enterprise --policies "$edited"
  [ "$code" = 1 ] || fail "prove does not catch it: exit $code: $(cat "$work/out" "$work/err")"
  cat "$work/out" "$work/err" | grep -qF -- "$finding" || fail "prove does not say $finding: $(cat "$work/out" "$work/err")"
  [ -z "$(git -C "$repository" status --porcelain)" ] || fail "the work tree is not as it was"
  count() { jq -r --arg is "$1" '[.shapes[].differences[] | select(.direction == $is)] | length' "$work/told"; }
  printf '%-20s %5s %9s %8s %7s %6s %s\n' "$part" "$expected" "$(count narrower)" "$(count wider)" "$asked" "$took" "$finding"
  git -C "$repository" reset -q --hard "$base"
}

try role 1 wider "data.export:Project" "T09 Reviewer"
try dropped_forbid 1 wider "project.view:Project project.delete:Project" 'invariant `nobody-but-its-user-in-a-sandbox`'
try dropped_conjunct 1 wider "data.export:Project" "T09 Reviewer"
try erring_forbid 1 narrower "workspace.view:Workspace workspace.update:Workspace" '`planted.erring` never fails'
try only_erring_forbid 1 narrower "workspace.view:Workspace workspace.update:Workspace" '`planted.erring` never fails'
try dead 0 unchanged "data.export:Project" 'dead: `planted.dead`'

part=refused
palisade "$root" diff "$base" no-such-revision
[ "$code" = 2 ] || fail "an unknown revision: exit $code"
palisade "$root" diff "$base" ./no-such-folder
[ "$code" = 2 ] || fail "a missing folder: exit $code"
CVC5=$work/none palisade "$root" diff "$base" "$before"
[ "$code" = 0 ] || fail "nothing changed, yet a solver is wanted: exit $code: $(cat "$work/err")"
role "$root/policies/enterprise"
CVC5=$work/none palisade "$root" diff "$base" .
[ "$code" = 4 ] || fail "without a solver: exit $code"
echo 'permit (' >"$root/policies/enterprise/broken.cedar"
palisade "$root" diff "$base" .
[ "$code" = 3 ] || fail "policies that do not parse: exit $code"
grep -q 'NEW is refused' "$work/err" || fail "nobody says which side: $(cat "$work/err")"
git -C "$repository" reset -q --hard "$base" && git -C "$repository" clean -fdq
ln -s guards.cedar "$root/policies/enterprise/linked.cedar"
commit link
palisade "$root" diff "$base" HEAD
[ "$code" = 2 ] && grep -q 'is a symlink' "$work/err" || fail "a symlink: exit $code: $(cat "$work/err")"
git -C "$repository" reset -q --hard "$base"

# Two schemas: an action more, and one that a policy of before names is gone.
part=schemas
cat >>"$root/schema/label-studio.cedarschema" <<'SCHEMA'

action "project.archive" appliesTo { principal: Member, resource: Project };
SCHEMA
printf '\n@id("archive.owner")\npermit (principal, action == Action::"project.archive", resource is Project)\nwhen { principal.role == Role::"owner" };\n' >>"$root/policies/enterprise/project_management.cedar"
commit archive
palisade "$root" diff "$base" HEAD --format json
[ "$code" = 1 ] || fail "an action more: exit $code: $(cat "$work/out" "$work/err")"
jq -e '[.shapes[] | select(.state != "unchanged") | [.action, .schema, .state]] == [["project.archive", "added", "wider"]]' \
  "$work/out" >/dev/null || fail "an action more: $(jq -c '.shapes[] | select(.state != "unchanged")' "$work/out")"
palisade "$root" diff HEAD "$base" --format json
[ "$code" = 1 ] || fail "an action less: exit $code: $(cat "$work/out" "$work/err")"
jq -e '[.shapes[] | select(.state != "unchanged") | [.action, .schema, .state]] == [["project.archive", "removed", "narrower"]]' \
  "$work/out" >/dev/null || fail "an action less: $(jq -c '.shapes[] | select(.state != "unchanged")' "$work/out")"
git -C "$repository" reset -q --hard "$base"

# A policy of before that the schema after does not take: its shape alone cannot be compared.
part="another type"
schema=$root/schema/label-studio.cedarschema
sed -i 's|^  workspace: Workspace, .*(W06)|&\n  colour?: String,|' "$schema"
cp "$root/policies/enterprise/data_access.cedar" "$work/data_access.cedar"
printf '\n@id("red")\npermit (principal, action == Action::"data.export", resource is Project)\nwhen { resource has colour && resource.colour == "red" };\n' >>"$root/policies/enterprise/data_access.cedar"
commit red
sed -i 's|colour?: String|colour?: Long|' "$schema"
cp "$work/data_access.cedar" "$root/policies/enterprise/data_access.cedar"
palisade "$root" diff HEAD . --format json
[ "$code" = 2 ] || fail "exit $code: $(cat "$work/out" "$work/err")"
jq -e '[.shapes[] | select(.state != "unchanged") | [.action, .state, (.unknown[0] | contains("does not take `red`"))]] == [["data.export", "unknown", true]]' \
  "$work/out" >/dev/null || fail "$(jq -c '.shapes[] | select(.state != "unchanged")' "$work/out")"

echo "diff: six edits told, asked again and caught"
