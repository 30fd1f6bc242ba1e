#!/usr/bin/env bash
# Every mutant of the shipped policies is refuted by the table and the invariants, or proved to decide
# every question as the original does; the latter are those that tests/fixtures/mutation-survivors.txt
# lists, and no others. CVC5 names a solver to take in place of cvc5.
set -euo pipefail
cd "$(dirname "$0")/../.."

command -v "${CVC5:-cvc5}" >/dev/null || { echo "missing program: ${CVC5:-cvc5} (Debian package cvc5)" >&2; exit 1; }
cargo build --release --example mutants
exec ./target/release/examples/mutants
