#!/usr/bin/env bash
# How long a good caller waits while another one attacks: a table, an attack a line. It says most on a
# machine that has nothing else to do.
# tests/e2e/neighbours.sh [--rounds N] [--only ATTACK]. PALISADE names a binary to take in place of a
# release build.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -z "${PALISADE:-}" ]; then
  cargo build --release
  PALISADE=./target/release/palisade
fi
cargo run --quiet --example neighbours -- --palisade "$PALISADE" "$@"
