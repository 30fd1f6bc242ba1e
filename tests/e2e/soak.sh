#!/usr/bin/env bash
# Edits of every kind and questions at the same time, for some minutes, and whether every answer was right.
# tests/e2e/soak.sh [MINUTES] [--seed N]. PALISADE names a binary to take in place of a release build.
set -euo pipefail
cd "$(dirname "$0")/../.."

minutes=3
[[ ${1:-} != [0-9]* ]] || { minutes=$1; shift; }

if [ -z "${PALISADE:-}" ]; then
  cargo build --release
  PALISADE=./target/release/palisade
fi
cargo run --quiet --example soak -- --minutes "$minutes" --palisade "$PALISADE" "$@"
