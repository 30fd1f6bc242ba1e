#!/usr/bin/env bash
# A real Prometheus scrapes real servers: every query of the dashboard has data, and every alert
# fires when its fault is provoked. PALISADE names a binary to take in place of a release build.
set -euo pipefail
cd "$(dirname "$0")/../.."

for program in openssl prometheus promtool:prometheus strace unshare:util-linux /usr/bin/python3:python3; do
  command -v "${program%%:*}" >/dev/null || { echo "missing program: ${program%%:*} (Debian package ${program##*:})" >&2; exit 1; }
done

promtool check config deploy/prometheus/prometheus.yml
promtool test rules deploy/prometheus/palisade.rules.test.yml

if [ -z "${PALISADE:-}" ]; then
  cargo build --release
  PALISADE=./target/release/palisade
fi
PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 tests/e2e/prometheus/drive.py "$(realpath "$PALISADE")"
