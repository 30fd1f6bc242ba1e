#!/usr/bin/env bash
# The matrix page in a real browser. PALISADE names a binary to take in place of a release build;
# PAGE_SHOTS a folder for screenshots, if they are wanted.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Debian's own Python: only there are its packages.
python=/usr/bin/python3
for program in chromium chromedriver:chromium-driver $python:python3; do
  command -v "${program%%:*}" >/dev/null || { echo "missing program: ${program%%:*} (Debian package ${program##*:})" >&2; exit 1; }
done
$python -c "import selenium" 2>/dev/null || { echo "missing: Selenium (Debian package python3-selenium)" >&2; exit 1; }

if [ -z "${PALISADE:-}" ]; then
  cargo build --release
  PALISADE=./target/release/palisade
fi

work=$(mktemp -d)
service=
stop() {
  [ -z "$service" ] || { kill "$service" 2>/dev/null; wait "$service" 2>/dev/null; } || true
  rm -rf "$work"
}
trap stop EXIT

fail() { echo "page: $*" >&2; echo "--- the log:" >&2; cat "$work/log" >&2; exit 1; }

# One role more may see one page; one file cannot be read.
cp -r policies/enterprise "$work/next"
cat >"$work/next/zz.cedar" <<'CEDAR'
@id("view-the-organization-page.reviewer")
permit (
  principal,
  action == Action::"org.page.view",
  resource is Organization
)
when { principal.role == Role::"reviewer" }
when { resource == principal.organization };
CEDAR
cp -r policies/enterprise "$work/broken"
echo 'permit (principal, action, resource) wen { true };' >"$work/broken/zz.cedar"

"$PALISADE" serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --shutdown-grace 0s --log-format json \
  --candidate "next=$work/next" --candidate "broken=$work/broken" --candidate same=policies/enterprise 2>"$work/log" &
service=$!

address() { # of the admin listener, once the log tells it
  sed -nE 's/.*"message":"listening".*"listener":"admin".*"address":"([0-9][^"]*)".*/\1/p' "$work/log" | head -n 1
}
for _ in $(seq 300); do
  [ -n "$(address)" ] && break
  kill -0 "$service" 2>/dev/null || fail "the service ended"
  sleep 0.1
done
[ -n "$(address)" ] || fail "in vain: the address"

PYTHONDONTWRITEBYTECODE=1 $python tests/e2e/page/drive.py "http://$(address)" "${PAGE_SHOTS:-}" || fail "the page is not as it should be"

kill -TERM "$service"
wait "$service" || fail "the service did not drain: exit $?"
service=
